//! The newest run of some pipelines, whatever else ran in their scope.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use windlass::engine::Registry;
use windlass::model::Scope;
use windlass::pipelines::probe;

use crate::support::swap;
use crate::support::world::{World, in_virtual_time, request};

#[test]
fn the_newest_run_of_a_pipeline_is_found_behind_any_number_of_others() {
    in_virtual_time(async {
        let swap = swap::registry().get("swap").expect("it is registered").clone();
        let world = World::of(Registry::new(vec![probe::pipeline(), swap]));
        let (scope, engine) = (Scope::new(swap::SCOPE), world.engine("reader"));
        let newest = async |pipelines: &[&str]| {
            engine.latest_of(&scope, pipelines).await.expect("storage answers").map(|run| run.id)
        };
        assert_eq!(newest(&["swap", "probe"]).await, None);
        let mut swaps = Vec::new();
        for _ in 0..2 {
            sleep(Duration::from_millis(1)).await;
            swaps.push(world.start(swap::asked(&swap::Script::default())).await.id);
            world.drain().await;
        }
        for others in 1..=20 {
            sleep(Duration::from_millis(1)).await;
            let probe = world.start(request("probe", swap::SCOPE, json!({}))).await.id;
            world.drain().await;
            assert_eq!(newest(&["swap"]).await.as_ref(), swaps.last(), "behind {others}");
            assert_eq!(newest(&["swap", "probe"]).await, Some(probe.clone()));
            assert_eq!(engine.latest(&scope).await.expect("storage answers").map(|run| run.id), Some(probe));
        }
        assert_eq!(newest(&["upgrade"]).await, None);
        assert_eq!(newest(&[]).await, None);
    });
}
