//! What a template must be like. Codes and wording: published refusals where there are any.

use serde_json::Value;

use crate::dev::azure::arm_error::ArmError;

pub(super) fn invalid(field: &str, details: &str) -> ArmError {
    ArmError::bad_request(
        "InvalidParameterValueInContainerTemplate",
        format!(
            "The following field(s) are either invalid or missing. Field 'template.{field}' is invalid with details: '{details}'."
        ),
    )
}

pub(super) fn check(template: &Value) -> Result<(), ArmError> {
    if !template.is_object() {
        return Err(invalid("containers", "The template is missing."));
    }
    let containers = entries(template, "containers")?;
    if containers.is_empty() {
        return Err(invalid("containers", "At least one container is required."));
    }
    let init = entries(template, "initContainers")?;
    let volumes = entries(template, "volumes")?;
    let mut names = Vec::new();
    for (kind, container) in
        containers.iter().map(|it| ("containers", it)).chain(init.iter().map(|it| ("initContainers", it)))
    {
        let name = check_container(kind, container)?;
        if names.contains(&name) {
            return Err(invalid(&format!("{kind}.{name}.name"), &format!("Duplicate value: \"{name}\"")));
        }
        names.push(name);
        check_mounts(kind, name, container, volumes)?;
    }
    check_scale(&template["scale"])
}

fn entries<'a>(of: &'a Value, name: &str) -> Result<&'a [Value], ArmError> {
    match &of[name] {
        Value::Null => Ok(&[]),
        Value::Array(entries) if entries.iter().all(Value::is_object) => Ok(entries),
        _ => Err(invalid(name, "It is not a list of objects.")),
    }
}

/// The container's name.
fn check_container<'a>(kind: &str, container: &'a Value) -> Result<&'a str, ArmError> {
    let name = container["name"].as_str().filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| invalid(&format!("{kind}.name"), "Required value."))?;
    if !is_label(name) {
        return Err(invalid(&format!("{kind}.{name}.name"), &format!("Invalid value: \"{name}\"")));
    }
    if container["image"].as_str().is_none_or(|image| image.trim().is_empty()) {
        return Err(invalid(&format!("{kind}.{name}.image"), "Required value."));
    }
    for list in ["command", "args"] {
        let fits = |value: &Value| value.as_array().is_some_and(|entries| entries.iter().all(Value::is_string));
        if !container[list].is_null() && !fits(&container[list]) {
            return Err(invalid(&format!("{kind}.{name}.{list}"), "It is not a list of strings."));
        }
    }
    for list in ["env", "probes", "volumeMounts"] {
        if !container[list].is_null() && !container[list].is_array() {
            return Err(invalid(&format!("{kind}.{name}.{list}"), "It is not a list."));
        }
    }
    let cpu = &container["resources"]["cpu"];
    if !cpu.is_null() && !cpu.as_f64().is_some_and(|cpu| cpu > 0.0) {
        return Err(invalid(&format!("{kind}.{name}.resources.cpu"), "It is not a positive number."));
    }
    Ok(name)
}

fn check_mounts(kind: &str, name: &str, container: &Value, volumes: &[Value]) -> Result<(), ArmError> {
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let wanted = mount["volumeName"].as_str().unwrap_or_default();
        if !volumes.iter().any(|volume| volume["name"] == wanted) {
            let details = format!("Volume \"{wanted}\" is not defined.");
            return Err(invalid(&format!("{kind}.{name}.volumeMounts"), &details));
        }
    }
    Ok(())
}

fn check_scale(scale: &Value) -> Result<(), ArmError> {
    let number = |name: &str, default: u64| match &scale[name] {
        Value::Null => Ok(default),
        value => value.as_u64().filter(|number| *number <= 1000).ok_or_else(|| {
            invalid(&format!("scale.{name}"), &format!("Invalid value: {value}: it is not a number from 0 to 1000."))
        }),
    };
    let (least, most) = (number("minReplicas", 0)?, number("maxReplicas", 10)?);
    if most == 0 || least > most {
        return Err(invalid("scale.maxReplicas", "It is not positive or less than minReplicas."));
    }
    Ok(())
}

fn is_label(name: &str) -> bool {
    name.len() <= 63
        && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn containers_need_a_name_and_an_image_and_volumes_that_exist() {
        let good = json!({"name": "a", "image": "a:1"});
        assert_eq!(check(&json!({"containers": [good]})), Ok(()));
        for bad in [
            json!({}),
            json!({"containers": []}),
            json!({"containers": {"name": "a", "image": "a:1"}}),
            json!({"containers": ["a:1"]}),
            json!({"containers": [{"name": "a"}]}),
            json!({"containers": [{"image": "a:1"}]}),
            json!({"containers": [{"name": "A B", "image": "a:1"}]}),
            json!({"containers": [good, good]}),
            json!({"containers": [good], "initContainers": [{"name": "init"}]}),
            json!({"containers": [{"name": "a", "image": "a:1", "args": "x"}]}),
            json!({"containers": [{"name": "a", "image": "a:1", "volumeMounts": [{"volumeName": "gone"}]}]}),
            json!({"containers": [{"name": "a", "image": "a:1", "resources": {"cpu": "0.5"}}]}),
            json!({"containers": [good], "scale": {"minReplicas": 3, "maxReplicas": 2}}),
            json!({"containers": [good], "scale": {"minReplicas": -1}}),
        ] {
            assert_eq!(check(&bad).map_err(|e| e.code), Err("InvalidParameterValueInContainerTemplate"), "{bad}");
        }
    }
}
