//! What azd takes from `azure.yaml` and looks for in the resources: a zip that is made for it, and the app that bears its tag.

use std::path::Path;

use super::Infrastructure;
use super::bicep::Expression;

const FILE: &str = "azure.yaml";
const HOOK: &str = "run: cargo run --features dev --bin windlass-dev -- package --zip --out ";
const TAG: &str = "azd-service-name";

pub fn faults(infrastructure: &Infrastructure) -> Vec<String> {
    let text = std::fs::read_to_string(infrastructure.root.join(FILE)).unwrap_or_default();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    package(&lines).into_iter().chain(tag(infrastructure, &lines)).collect()
}

/// What is uploaded is a zip, and the one that the hook makes.
fn package(lines: &[&str]) -> Option<String> {
    let dist = lines.iter().find_map(|line| line.strip_prefix("dist: ")).unwrap_or_default();
    if Path::new(dist).extension().is_none_or(|extension| extension != "zip") {
        return Some(format!("{FILE}: dist must name a zip: azd's own of a folder can lose the handler's run bit"));
    }
    let made = lines.contains(&format!("{HOOK}{dist}").as_str());
    (!made).then(|| format!("{FILE}: its hook must make {dist}, which azd uploads, and do nothing else"))
}

/// One site bears the tag, nothing else does, and it names a service.
fn tag(infrastructure: &Infrastructure, lines: &[&str]) -> Option<String> {
    let files = infrastructure.files.iter();
    let everywhere = files.clone().flat_map(|file| file.expressions()).flat_map(services).count();
    let sites = files.flat_map(|file| file.of_type("Microsoft.Web/sites"));
    let tags = sites.filter_map(|site| site.declared.body.property("tags"));
    let [service] = tags.flat_map(services).collect::<Vec<_>>()[..] else {
        return Some(format!("the site must bear the tag {TAG}: azd deploys to what bears it"));
    };
    if everywhere > 1 {
        return Some(format!("the site alone may bear the tag {TAG}: azd deploys to what bears it"));
    }
    let name = service.as_text().unwrap_or_default();
    (!lines.contains(&format!("{name}:").as_str())).then(|| format!("{FILE} has no service {name}, as {TAG} says"))
}

/// What the tag says, wherever it stands in an expression.
fn services(expression: &Expression) -> Vec<&Expression> {
    expression.all().into_iter().filter_map(|one| one.property(TAG)).collect()
}
