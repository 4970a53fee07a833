//! The way back by hand: commands to paste into a shell where `az` is signed in. Without secrets, and without Windlass.

use super::snapshot::Snapshot;
use super::state::Strategy;
use super::template;

/// One command for each container that an upgrade gives another image, or those that move traffic. `az` takes the name of a
/// container that only initialises for that of a new one, so those are left to [`at_once`].
pub fn commands(snapshot: &Snapshot) -> Vec<String> {
    let place = place(snapshot);
    match snapshot.strategy {
        Strategy::BlueGreen => vec![
            format!("az containerapp revision activate {place} --revision {}", quoted(&snapshot.revision)),
            format!(
                "az containerapp ingress traffic set {place} --revision-weight {}",
                quoted(&format!("{}=100", snapshot.revision))
            ),
        ],
        Strategy::InPlace | Strategy::BuildOnly => template::running(&snapshot.template)
            .into_iter()
            .filter_map(|(container, image)| {
                // An image of another registry is none that an upgrade changes.
                let digest = snapshot.images.get(&container)?.digest.as_deref()?;
                let image = by_digest(&image, digest)?;
                let (container, image) = (quoted(&container), quoted(&image));
                Some(format!("az containerapp update {place} --container-name {container} --image {image}"))
            })
            .collect(),
    }
}

/// All containers at once, by a copy of the old revision, for as long as the app still keeps that.
pub fn at_once(snapshot: &Snapshot) -> String {
    format!("az containerapp revision copy {} --from-revision {}", place(snapshot), quoted(&snapshot.revision))
}

fn place(snapshot: &Snapshot) -> String {
    format!(
        "--subscription {} --resource-group {} --name {}",
        quoted(&snapshot.subscription_id),
        quoted(&snapshot.resource_group),
        quoted(&snapshot.app)
    )
}

fn by_digest(image: &str, digest: &str) -> Option<String> {
    let name = template::ImageName::parse(image)?;
    Some(format!("{}/{}@{digest}", name.registry, name.repository))
}

/// Safe in any POSIX shell; bare where that is enough.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::model::{RunId, Scope, Timestamp};
    use crate::pipelines::upgrade::rollout::snapshot::SnapshotImage;

    fn snapshot(strategy: Strategy) -> Snapshot {
        let image = |image: &str, digest: Option<&str>| SnapshotImage {
            image: image.to_owned(),
            digest: digest.map(str::to_owned),
        };
        Snapshot {
            job_id: RunId::new(&Scope::new("platform"), 1, 2),
            taken_at: Timestamp::from_millis(1),
            app: "app".to_owned(),
            subscription_id: "s".to_owned(),
            resource_group: "a (group)".to_owned(),
            revision: "app--v1".to_owned(),
            version: Some("1.0.0".to_owned()),
            template: json!({
                "containers": [
                    {"name": "api", "image": "r.io/elb-api:v1.0.0"},
                    {"name": "proxy", "image": "mcr.microsoft.com/proxy:1"},
                ],
                "initContainers": [{"name": "migrate", "image": "r.io/elb-api:v1.0.0"}],
            }),
            images: BTreeMap::from([
                ("api".to_owned(), image("r.io/elb-api:v1.0.0", Some("sha256:aa"))),
                ("migrate".to_owned(), image("r.io/elb-api:v1.0.0", Some("sha256:aa"))),
                ("proxy".to_owned(), image("mcr.microsoft.com/proxy:1", None)),
            ]),
            strategy,
            traffic: json!([]),
            target_revision: "app--v2".to_owned(),
            target_version: "1.2.3".to_owned(),
            available_until: Timestamp::from_millis(2),
            rolled_back_at: None,
            former: None,
        }
    }

    #[test]
    fn each_container_that_an_upgrade_changes_has_its_line_and_no_other() {
        assert_eq!(
            commands(&snapshot(Strategy::InPlace)),
            ["az containerapp update --subscription s --resource-group 'a (group)' --name app --container-name api \
              --image r.io/elb-api@sha256:aa"]
        );
    }

    #[test]
    fn traffic_goes_back_to_a_revision_that_was_started_again() {
        assert_eq!(
            commands(&snapshot(Strategy::BlueGreen)),
            [
                "az containerapp revision activate --subscription s --resource-group 'a (group)' --name app --revision app--v1",
                "az containerapp ingress traffic set --subscription s --resource-group 'a (group)' --name app \
                 --revision-weight app--v1=100",
            ]
        );
    }

    #[test]
    fn a_name_cannot_break_out_of_its_quotes() {
        assert_eq!(quoted("a'; rm -rf /"), r"'a'\''; rm -rf /'");
        assert_eq!(quoted(""), "''");
    }
}
