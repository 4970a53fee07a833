//! The way back by hand: commands to paste into a shell where `az` is signed in. Without secrets, and without Windlass.

use super::snapshot::Snapshot;
use super::state::Strategy;
use super::template;

/// One command for each container that runs another image than it did, or those that move traffic.
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
        Strategy::InPlace | Strategy::BuildOnly => {
            let images = template::images(&snapshot.template);
            images
                .into_iter()
                .map(|(container, image)| {
                    let pinned = snapshot.images.get(&container).and_then(|known| known.digest.as_deref());
                    let image = pinned.and_then(|digest| by_digest(&image, digest)).unwrap_or(image);
                    format!(
                        "az containerapp update {place} --container-name {} --image {}",
                        quoted(&container),
                        quoted(&image)
                    )
                })
                .collect()
        }
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
