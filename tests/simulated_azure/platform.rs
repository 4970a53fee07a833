//! The calls of a rollout, raw.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use windlass::dev::azure::{Fault, RequestEffect, RevisionEffect, RevisionsMode, SimOptions};

use crate::lab::Lab;

pub const APP_VERSION: &str = "2024-03-01";
pub const APP: &str = "windlass-platform";
pub const SEED: &str = "windlass-platform--v1-0-0-seed";

impl Lab {
    pub async fn multiple() -> Self {
        Self::with(SimOptions { revisions_mode: RevisionsMode::Multiple, ..SimOptions::default() }).await
    }

    pub fn app_path(&self) -> String {
        let (subscription, group) =
            (&self.settings["PLATFORM_SUBSCRIPTION_ID"], &self.settings["PLATFORM_RESOURCE_GROUP"]);
        let app = &self.settings["PLATFORM_CONTAINER_APP"];
        format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.App/containerApps/{app}")
    }

    /// A call to the app or below it, with token and api-version.
    pub fn app_call(&self, method: Method, below: &str) -> RequestBuilder {
        let join = if below.contains('?') { '&' } else { '?' };
        self.arm_at(method, &format!("{}{below}{join}api-version={APP_VERSION}", self.app_path()))
    }

    pub async fn app(&self) -> Value {
        self.app_get("").await
    }

    pub async fn app_get(&self, below: &str) -> Value {
        let answer = self.app_call(Method::GET, below).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{below}");
        answer.json().await.unwrap()
    }

    pub async fn revision(&self, name: &str) -> Value {
        self.app_get(&format!("/revisions/{name}")).await["properties"].clone()
    }

    pub async fn replicas(&self, name: &str) -> Vec<Value> {
        self.app_get(&format!("/revisions/{name}/replicas")).await["value"].as_array().unwrap().clone()
    }

    pub async fn patch(&self, body: &Value) -> Response {
        self.app_call(Method::PATCH, "").json(body).send().await.unwrap()
    }

    pub async fn act(&self, revision: &str, action: &str) -> Response {
        let call = self.app_call(Method::POST, &format!("/revisions/{revision}/{action}"));
        call.header("content-length", "0").send().await.unwrap()
    }

    /// The stored template with every image at this version and this suffix.
    pub async fn template(&self, version: &str, suffix: &str) -> Value {
        let mut template = self.app().await["properties"]["template"].clone();
        for kind in ["containers", "initContainers"] {
            for container in template[kind].as_array_mut().unwrap() {
                let image = container["image"].as_str().unwrap();
                let name = image.strip_prefix(&self.login_server()).unwrap().split(':').next().unwrap();
                container["image"] = json!(format!("{}{name}:{version}", self.login_server()));
            }
        }
        template["revisionSuffix"] = json!(suffix);
        template
    }

    /// Puts a version into the registry that no build made.
    pub fn push(&self, version: &str) {
        for repository in ["elb-api", "elb-frontend", "elb-terminal"] {
            self.azure.push_image(repository, version);
        }
    }

    /// Pushes the version and begins to roll it out; the new revision's name and the answer.
    pub async fn roll_out(&self, version: &str, suffix: &str) -> (String, Response) {
        self.push(version);
        let template = self.template(version, suffix).await;
        let answer = self.patch(&json!({"location": "West Europe", "properties": {"template": template}})).await;
        assert_eq!(answer.status(), 202);
        (format!("{APP}--{suffix}"), answer)
    }

    /// Follows the operation of an answer; its last status.
    pub async fn finish_operation(&self, answer: &Response) -> Value {
        let mut address = header(answer, "azure-asyncoperation");
        for _ in 0..20 {
            let answer = self.poll(&address).await;
            assert_eq!(answer.status(), 200);
            address = header(&answer, "azure-asyncoperation");
            let told: Value = answer.json().await.unwrap();
            if told["status"] != "InProgress" {
                return told;
            }
        }
        panic!("the operation does not end");
    }

    /// An address of an operation, opened with the token.
    pub async fn poll(&self, address: &str) -> Response {
        let path = address.strip_prefix(&self.base()).unwrap();
        self.arm_at(Method::GET, path).send().await.unwrap()
    }

    /// Sends the configuration and waits for its operation.
    pub async fn configure(&self, configuration: Value) -> Value {
        let answer = self.patch(&json!({"properties": {"configuration": configuration}})).await;
        assert_eq!(answer.status(), 202);
        self.finish_operation(&answer).await
    }

    /// Lets everything go on until nothing changes any more.
    pub async fn settle(&self) {
        for _ in 0..12 {
            self.app().await;
        }
    }

    pub fn ail(&self, part: &str, effect: RevisionEffect) {
        self.azure.fault(Fault::Revision { part: part.into(), effect, count: 1 });
    }

    pub fn meet(&self, method: &str, path: &str, effect: RequestEffect) {
        self.azure.fault(Fault::Request { method: Some(method.into()), path: path.into(), effect, after: 0, count: 1 });
    }

    /// What a caller of the application gets.
    pub async fn visit(&self, name: &str) -> u16 {
        let url = format!("{}/_app/{name}/readyz", self.base());
        self.http.get(url).timeout(Duration::from_secs(5)).send().await.unwrap().status().as_u16()
    }
}

pub fn header(answer: &Response, name: &str) -> String {
    answer.headers()[name].to_str().unwrap().to_owned()
}
