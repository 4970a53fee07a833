//! The rules of `configuration.ingress.traffic`. The codes of refusals are not recorded.

use serde_json::Value;

use crate::dev::azure::arm_error::ArmError;

/// `active` are the revisions that may be named, the one that is about to be made among them; none are looked at in
/// Single mode, where the rules are ignored.
pub(super) fn check(rules: &Value, active: Option<&[String]>) -> Result<(), ArmError> {
    let refused = |message: String| Err(ArmError::bad_request("InvalidTrafficConfiguration", message));
    let rules = match rules {
        Value::Null => return Ok(()),
        Value::Array(rules) => rules,
        _ => return refused("The traffic is not a list of rules.".into()),
    };
    let (mut total, mut labels) = (0, Vec::new());
    for rule in rules {
        let named = rule["revisionName"].as_str().filter(|name| !name.is_empty());
        let latest = rule["latestRevision"] == true;
        if named.is_some() == latest {
            return refused("A traffic rule needs either revisionName or latestRevision: true.".into());
        }
        match rule.get("weight") {
            None | Some(Value::Null) => {}
            Some(weight) => match weight.as_u64().filter(|weight| *weight <= 100) {
                Some(weight) => total += weight,
                None => return refused(format!("The traffic weight {weight} is not a number from 0 to 100.")),
            },
        }
        if let Some(label) = rule["label"].as_str() {
            if labels.contains(&label) {
                return refused(format!("The label '{label}' is given to more than one revision."));
            }
            labels.push(label);
        }
        let known = |name: &str, active: &[String]| active.iter().any(|it| it.eq_ignore_ascii_case(name));
        if let (Some(name), Some(active)) = (named, active)
            && !known(name, active)
        {
            return refused(format!("Traffic is meant for revision '{name}', which does not exist or is not active."));
        }
    }
    if total != 100 {
        return refused(format!("The traffic weights total {total} and not 100."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_name_one_active_revision_each_and_total_a_hundred() {
        let active = ["app--a".to_owned(), "app--b".to_owned()];
        let of = |rules: Value| check(&rules, Some(&active)).is_ok();
        assert!(of(json!([{"revisionName": "app--a", "weight": 80}, {"revisionName": "app--b", "weight": 20}])));
        assert!(of(json!([{"latestRevision": true, "weight": 100}, {"revisionName": "app--a", "label": "old"}])));
        for bad in [
            json!([{"revisionName": "app--a", "weight": 80}]),
            json!([{"revisionName": "app--a", "latestRevision": true, "weight": 100}]),
            json!([{"weight": 100}]),
            json!([{"latestRevision": false, "weight": 100}]),
            json!([{"revisionName": "app--c", "weight": 100}]),
            json!([{"revisionName": "app--a", "weight": 101}]),
            json!([{"revisionName": "app--a", "weight": "100"}]),
            json!([{"latestRevision": true, "weight": 100, "label": "x"}, {"revisionName": "app--a", "label": "x"}]),
            json!({"latestRevision": true, "weight": 100}),
            json!([]),
        ] {
            assert!(!of(bad.clone()), "{bad}");
        }
        assert!(check(&json!([{"revisionName": "app--c", "weight": 100}]), None).is_ok());
    }
}
