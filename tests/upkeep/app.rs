//! An app that is what a test says, and remembers what was done to it.

use std::sync::Mutex;

use async_trait::async_trait;
use serde_json::{Value, json};
use windlass::azure::container_apps::{ContainerApp, Operation, Poll, Replica, Revision};
use windlass::engine::PhaseError;
use windlass::pipelines::upgrade::ports::{Applied, Apps};

#[derive(Default)]
pub struct FakeApp {
    /// The images of its one container for each component; no images: there is no app.
    pub images: Mutex<Vec<String>>,
    /// It cannot be read.
    pub lost: Mutex<bool>,
    pub mode: Mutex<&'static str>,
    pub traffic: Mutex<Value>,
    pub most_inactive: Mutex<Option<u64>>,
    /// As the service tells them.
    pub revisions: Mutex<Vec<Value>>,
    /// What it was changed by, and the revisions that were stopped.
    pub changes: Mutex<Vec<Value>>,
    pub deactivated: Mutex<Vec<String>>,
}

impl FakeApp {
    pub fn runs(&self, images: &[&str]) {
        *self.images.lock().unwrap() = images.iter().map(|image| (*image).to_owned()).collect();
    }

    /// The newest last.
    pub fn revise(&self, name: &str, created: &str, active: bool, weight: u32) {
        self.revisions.lock().unwrap().push(json!({"name": name, "properties": {
            "active": active, "createdTime": created, "trafficWeight": weight, "template": {},
        }}));
    }
}

fn unused<T>() -> T {
    panic!("nobody here needs this")
}

#[async_trait]
impl Apps for FakeApp {
    fn is_configured(&self) -> bool {
        !self.images.lock().unwrap().is_empty()
    }

    fn name(&self) -> &str {
        "app"
    }

    fn place(&self) -> (&str, &str) {
        ("subscription", "group")
    }

    async fn app(&self) -> Result<ContainerApp, PhaseError> {
        if !self.is_configured() {
            return Err(PhaseError::fatal("app_unset", "there is no app"));
        }
        if *self.lost.lock().unwrap() {
            return Err(PhaseError::fatal("app_not_found", "somebody has deleted it"));
        }
        let images = self.images.lock().unwrap().clone();
        let container = |(index, image)| json!({"name": format!("c{index}"), "image": image});
        let containers: Vec<Value> = images.iter().enumerate().map(container).collect();
        let newest = self.revisions.lock().unwrap().last().map(|revision| revision["name"].clone());
        let app = json!({"id": "/app", "name": "app", "location": "here", "properties": {
            "provisioningState": "Succeeded",
            "latestRevisionName": newest,
            "latestReadyRevisionName": newest,
            "configuration": {
                "activeRevisionsMode": *self.mode.lock().unwrap(),
                "maxInactiveRevisions": *self.most_inactive.lock().unwrap(),
                "ingress": {"traffic": *self.traffic.lock().unwrap()},
            },
            "template": {"containers": containers},
        }});
        Ok(serde_json::from_value(app).expect("an app as the service tells it"))
    }

    async fn update(&self, change: &Value) -> Result<Applied, PhaseError> {
        self.changes.lock().unwrap().push(change.clone());
        *self.most_inactive.lock().unwrap() = change["properties"]["configuration"]["maxInactiveRevisions"].as_u64();
        Ok(Applied::Done)
    }

    async fn operation(&self, _: &Operation) -> Result<Option<Poll>, PhaseError> {
        unused()
    }

    async fn revision(&self, _: &str) -> Result<Option<Revision>, PhaseError> {
        unused()
    }

    async fn revisions(&self) -> Result<Vec<Revision>, PhaseError> {
        let revisions = self.revisions.lock().unwrap().clone();
        Ok(serde_json::from_value(Value::Array(revisions)).expect("revisions as the service tells them"))
    }

    async fn replicas(&self, _: &str) -> Result<Vec<Replica>, PhaseError> {
        unused()
    }

    async fn activate(&self, _: &str) -> Result<(), PhaseError> {
        unused()
    }

    async fn deactivate(&self, revision: &str) -> Result<(), PhaseError> {
        self.deactivated.lock().unwrap().push(revision.to_owned());
        for known in self.revisions.lock().unwrap().iter_mut().filter(|known| known["name"] == revision) {
            known["properties"]["active"] = json!(false);
        }
        Ok(())
    }
}
