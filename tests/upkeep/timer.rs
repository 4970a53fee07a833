//! The round that asks the repository every half hour.

use std::time::Duration;

use crate::platform::Platform;

const MINUTE: Duration = Duration::from_secs(60);

async fn newest(platform: &Platform) -> String {
    platform.candidates().await["candidates"][0]["version"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_round_checks_unless_somebody_did_in_the_last_twenty_five_minutes() {
    let platform = Platform::open(&["v1.2.3"]).await;
    platform.engine.tick("upgrade-check").await.unwrap();
    assert_eq!(newest(&platform).await, "1.2.3");
    platform.release("v1.2.4");
    platform.clock.skip(24 * MINUTE);
    platform.engine.tick("upgrade-check").await.unwrap();
    assert_eq!(newest(&platform).await, "1.2.3");
    platform.clock.skip(MINUTE);
    platform.engine.tick("upgrade-check").await.unwrap();
    assert_eq!(newest(&platform).await, "1.2.4");
}

#[tokio::test]
async fn a_round_that_cannot_read_the_repository_has_done_its_work() {
    let platform = Platform::open(&["v1.2.3"]).await;
    std::fs::remove_dir_all(platform.repository()).unwrap();
    platform.engine.tick("upgrade-check").await.unwrap();
    assert_eq!(platform.candidates().await["error"]["code"], "git_not_a_repository");
}
