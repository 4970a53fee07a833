//! A simulator, a client, and the calls that every test makes.

use std::collections::BTreeMap;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use windlass::dev::azure::{SimOptions, SimulatedAzure, start};

pub const VERSION: &str = "2025-03-01-preview";

pub struct Lab {
    pub azure: SimulatedAzure,
    pub http: Client,
    pub settings: BTreeMap<String, String>,
    token: String,
}

impl Lab {
    pub async fn open() -> Self {
        Self::with(SimOptions::default()).await
    }

    /// A lab whose builds go by the simulator's clock.
    pub async fn paced() -> Self {
        Self::with(SimOptions { pace: Duration::from_secs(10), ..SimOptions::default() }).await
    }

    pub async fn with(options: SimOptions) -> Self {
        let azure = start(options).await.unwrap();
        let settings = azure.settings().into_iter().collect();
        let mut lab = Self { azure, http: Client::new(), settings, token: String::new() };
        lab.token = lab.managed_identity_token(&lab.base()).await;
        lab
    }

    pub fn base(&self) -> String {
        self.settings["AZURE_ARM_ENDPOINT"].clone()
    }

    pub async fn managed_identity_token(&self, resource: &str) -> String {
        let answer = self.ask_identity(&format!("?resource={resource}&api-version=2019-08-01"));
        let body: Value = answer.send().await.unwrap().json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub fn ask_identity(&self, query: &str) -> RequestBuilder {
        let url = format!("{}{query}", self.settings["IDENTITY_ENDPOINT"]);
        self.http.get(url).header("X-IDENTITY-HEADER", &self.settings["IDENTITY_HEADER"])
    }

    pub fn registry(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.ContainerRegistry/registries/{}",
            self.settings["PLATFORM_SUBSCRIPTION_ID"],
            self.settings["PLATFORM_RESOURCE_GROUP"],
            self.settings["PLATFORM_ACR_NAME"]
        )
    }

    /// The registry's own address: the simulator's.
    pub fn login_server(&self) -> String {
        self.azure.address().to_string()
    }

    /// What builds have pushed: everything but the installed version.
    pub fn pushed(&self) -> BTreeMap<String, String> {
        let images = self.azure.images().into_iter();
        images.filter(|(image, _)| !image.ends_with(":v1.0.0")).collect()
    }

    /// A call below the registry, with token and api-version.
    pub fn arm(&self, method: Method, below: &str) -> RequestBuilder {
        let join = if below.contains('?') { '&' } else { '?' };
        let url = format!("{}{}{below}{join}api-version={VERSION}", self.base(), self.registry());
        self.http.request(method, url).bearer_auth(&self.token)
    }

    /// Any Resource Manager path, with token.
    pub fn arm_at(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base())).bearer_auth(&self.token)
    }

    pub async fn get(&self, below: &str) -> Value {
        let answer = self.arm(Method::GET, below).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    pub async fn post(&self, below: &str, body: &Value) -> Response {
        self.arm(Method::POST, below).json(body).send().await.unwrap()
    }

    /// A POST without a body says so: Resource Manager wants a length.
    pub fn post_empty(&self, below: &str) -> RequestBuilder {
        self.arm(Method::POST, below).header("content-length", "0")
    }

    /// Where to upload, and the relative path of it.
    pub async fn upload_offer(&self) -> (String, String) {
        let answer = self.post_empty("/listBuildSourceUploadUrl").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        (body["uploadUrl"].as_str().unwrap().to_owned(), body["relativePath"].as_str().unwrap().to_owned())
    }

    pub async fn upload(&self, archive: Vec<u8>) -> String {
        let (url, relative) = self.upload_offer().await;
        let put = self.http.put(url).header("x-ms-blob-type", "BlockBlob").body(archive);
        assert_eq!(put.send().await.unwrap().status(), 201);
        relative
    }

    /// Uploads the files and queues a build of `image`; the run's id.
    pub async fn build(&self, image: &str, files: &[(&str, &str)]) -> String {
        let source = self.upload(archive(files)).await;
        self.queue(&request(image, &source)).await
    }

    pub async fn queue(&self, request: &Value) -> String {
        let answer = self.post("/scheduleRun", request).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["properties"]["status"], "Queued");
        assert_eq!(body["properties"]["provisioningState"], "Succeeded");
        body["name"].as_str().unwrap().to_owned()
    }

    /// Looks at the run until it has ended; its properties.
    pub async fn finish(&self, run: &str) -> Value {
        for _ in 0..100 {
            let run = self.get(&format!("/runs/{run}")).await;
            assert_eq!(run["properties"]["provisioningState"], "Succeeded");
            if !["Queued", "Started", "Running"].contains(&run["properties"]["status"].as_str().unwrap()) {
                return run["properties"].clone();
            }
        }
        panic!("the run does not end");
    }

    pub async fn log_link(&self, run: &str) -> String {
        let answer = self.post_empty(&format!("/runs/{run}/listLogSasUrl")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["logLink"].as_str().unwrap().to_owned()
    }

    /// The whole log of a run that has ended, once it is complete.
    pub async fn log(&self, run: &str) -> String {
        let link = self.log_link(run).await;
        for _ in 0..20 {
            let answer = self.http.get(&link).send().await.unwrap();
            if answer.headers().contains_key("x-ms-meta-complete") {
                return answer.text().await.unwrap();
            }
        }
        panic!("the log is never complete");
    }
}

/// A request as the product would send it.
pub fn request(image: &str, source: &str) -> Value {
    json!({
        "type": "DockerBuildRequest",
        "imageNames": [image],
        "isPushEnabled": true,
        "sourceLocation": source,
        "dockerFilePath": "Dockerfile",
        "platform": {"os": "Linux", "architecture": "amd64"},
        "arguments": [{"name": "APP_VERSION", "value": "1.2.3", "isSecret": false}],
    })
}

pub fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}

/// `error.code` of a refusal with this status.
pub async fn code(answer: Response, status: u16) -> String {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert!(answer.headers().contains_key("x-ms-request-id"));
    let body: Value = answer.json().await.unwrap();
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    body["error"]["code"].as_str().unwrap().to_owned()
}

/// The code of Storage's refusal with this status.
pub async fn storage_code(answer: Response, status: u16) -> String {
    assert_eq!(answer.status(), status);
    let code = answer.headers()["x-ms-error-code"].to_str().unwrap().to_owned();
    let body = answer.text().await.unwrap();
    assert!(body.contains(&format!("<Code>{code}</Code>")), "{body}");
    code
}
