use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use windlass::dev::azure::{Forgery, TokenRequest};

use crate::lab::{Lab, archive, request};

const AUDIENCE: &str = "https://containerregistry.azure.net";
const ALL_TYPES: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";
const DOCKER: &str = "application/vnd.docker.distribution.manifest.v2+json";

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// `errors[0].code` of a refusal with this status.
async fn code(answer: Response, status: u16) -> String {
    assert_eq!(answer.status(), status);
    let body: Value = answer.json().await.unwrap();
    let error = body["errors"][0].as_object().unwrap();
    assert!(!error["message"].as_str().unwrap().is_empty() && error.contains_key("detail"));
    error["code"].as_str().unwrap().to_owned()
}

impl Lab {
    fn form(&self, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let call = self.http.post(format!("{}{path}", self.base()));
        call.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    async fn exchange(&self, entra: &str) -> Response {
        let (service, tenant) = (self.login_server(), self.settings["WINDLASS_AUTH_TENANT_ID"].clone());
        let fields =
            [("grant_type", "access_token"), ("service", &*service), ("tenant", &*tenant), ("access_token", entra)];
        self.form("/oauth2/exchange", &fields).send().await.unwrap()
    }

    async fn refresh_token(&self) -> String {
        let answer = self.exchange(&self.managed_identity_token(AUDIENCE).await).await;
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["refresh_token"].as_str().unwrap().to_owned()
    }

    async fn access_answer(&self, refresh: &str, scope: &str) -> Response {
        let service = self.login_server();
        let fields =
            [("grant_type", "refresh_token"), ("service", &*service), ("scope", scope), ("refresh_token", refresh)];
        self.form("/oauth2/token", &fields).send().await.unwrap()
    }

    async fn access_token(&self, scope: &str) -> String {
        let answer = self.access_answer(&self.refresh_token().await, scope).await;
        assert_eq!(answer.status(), 200);
        answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    /// A call of the data plane with a token for this repository and these actions.
    async fn plane(&self, method: Method, repository: &str, actions: &str, path: &str) -> Response {
        let token = self.access_token(&format!("repository:{repository}:{actions}")).await;
        let call = self.http.request(method, format!("{}{path}", self.base())).bearer_auth(token);
        call.header("accept", ALL_TYPES).send().await.unwrap()
    }

    async fn metadata(&self, repository: &str, path: &str) -> Value {
        let answer = self.plane(Method::GET, repository, "metadata_read", &format!("/acr/v1/{repository}{path}")).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }
}

#[tokio::test]
async fn the_registry_is_at_its_login_server_and_challenges_strangers() {
    let lab = Lab::open().await;
    let registry = lab.arm_at(Method::GET, &format!("{}?api-version=2025-11-01", lab.registry())).send().await.unwrap();
    let login = registry.json::<Value>().await.unwrap()["properties"]["loginServer"].as_str().unwrap().to_owned();
    let url = format!("http://{login}/v2/");
    let stranger = lab.http.get(&url).send().await.unwrap();
    assert_eq!(stranger.headers()["docker-distribution-api-version"], "registry/2.0");
    let challenge = format!("Bearer realm=\"http://{login}/oauth2/token\",service=\"{login}\"");
    assert_eq!(stranger.headers()["www-authenticate"], challenge);
    assert_eq!(code(stranger, 401).await, "UNAUTHORIZED");
    let refresh = lab.refresh_token().await;
    for wrong in [refresh, lab.managed_identity_token(AUDIENCE).await, "nonsense".into()] {
        assert_eq!(lab.http.get(&url).bearer_auth(wrong).send().await.unwrap().status(), 401);
    }
    let access = lab.access_token("registry:catalog:*").await;
    assert_eq!(lab.http.get(&url).bearer_auth(access).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn an_entra_token_is_exchanged_if_it_is_for_the_registry_or_for_resource_manager() {
    let lab = Lab::open().await;
    for audience in [AUDIENCE.to_owned(), lab.base(), "https://management.azure.com".to_owned()] {
        let answer = lab.exchange(&lab.managed_identity_token(&audience).await).await;
        assert_eq!(answer.status(), 200, "{audience}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1, "nothing but the token");
        let told = claims(body["refresh_token"].as_str().unwrap());
        assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 3 * 60 * 60);
    }
    let storage = lab.managed_identity_token("https://storage.azure.com").await;
    let forged = json!({"aud": AUDIENCE}).as_object().unwrap().clone();
    let forged =
        lab.azure.token(&TokenRequest { claims: forged, forgery: Some(Forgery::WrongKey), ..TokenRequest::default() });
    for refused in [storage, forged, "nonsense".into()] {
        assert_eq!(code(lab.exchange(&refused).await, 401).await, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn tokens_are_asked_for_by_forms_with_every_field() {
    let lab = Lab::open().await;
    let entra = lab.managed_identity_token(AUDIENCE).await;
    let (service, tenant) = (lab.login_server(), lab.settings["WINDLASS_AUTH_TENANT_ID"].clone());
    let good =
        [("grant_type", "access_token"), ("service", &*service), ("tenant", &*tenant), ("access_token", &*entra)];
    for index in 0..good.len() {
        let mut fields = good.to_vec();
        fields.remove(index);
        assert_eq!(code(lab.form("/oauth2/exchange", &fields).send().await.unwrap(), 400).await, "UNSUPPORTED");
    }
    let mut elsewhere = good;
    elsewhere[1].1 = "someregistry.azurecr.io";
    assert_eq!(lab.form("/oauth2/exchange", &elsewhere).send().await.unwrap().status(), 400);
    let body = json!({"grant_type": "access_token", "service": service, "tenant": tenant, "access_token": entra});
    let as_json = lab.http.post(format!("{}/oauth2/exchange", lab.base())).json(&body).send().await.unwrap();
    assert_eq!(code(as_json, 400).await, "UNSUPPORTED");
    let refresh = lab.refresh_token().await;
    assert_eq!(code(lab.access_answer(&refresh, "elb-api").await, 400).await, "UNSUPPORTED");
    assert_eq!(code(lab.access_answer(&entra, "repository:elb-api:pull").await, 401).await, "UNAUTHORIZED");
    lab.azure.skip(Duration::from_secs(3 * 60 * 60 + 1));
    assert_eq!(code(lab.access_answer(&refresh, "repository:elb-api:pull").await, 401).await, "UNAUTHORIZED");
}

#[tokio::test]
async fn an_access_token_is_given_without_rights_and_says_so() {
    let lab = Lab::open().await;
    lab.azure.set_registry_rights(&["metadata_read"]);
    let token = lab.access_token("repository:elb-api:pull,metadata_read").await;
    let told = claims(&token);
    assert_eq!(told["access"], json!([{"type": "repository", "name": "elb-api", "actions": ["metadata_read"]}]));
    assert_eq!(told["exp"].as_i64().unwrap() - told["iat"].as_i64().unwrap(), 75 * 60);
    let at = |path: &str| lab.http.get(format!("{}{path}", lab.base())).bearer_auth(&token).send();
    assert_eq!(at("/acr/v1/elb-api/_tags").await.unwrap().status(), 200);
    let refused = at("/v2/elb-api/manifests/v1.0.0").await.unwrap();
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("scope=\"repository:elb-api:pull\""), "{challenge}");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert_eq!(code(refused, 401).await, "UNAUTHORIZED");
    assert_eq!(at("/acr/v1/elb-frontend/_tags").await.unwrap().status(), 401, "a token is for its scope");
    lab.azure.skip(Duration::from_secs(75 * 60));
    assert_eq!(at("/acr/v1/elb-api/_tags").await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_manifest_is_found_by_tag_and_by_digest_and_its_digest_is_its_own() {
    let lab = Lab::open().await;
    let digest = lab.azure.images()["elb-api:v1.0.0"].clone();
    for reference in ["v1.0.0", digest.as_str()] {
        let path = format!("/v2/elb-api/manifests/{reference}");
        let head = lab.plane(Method::HEAD, "elb-api", "pull", &path).await;
        assert_eq!(head.status(), 200);
        assert_eq!(head.headers()["docker-content-digest"], digest.as_str());
        let get = lab.plane(Method::GET, "elb-api", "pull", &path).await;
        assert_eq!(get.headers()["content-type"], head.headers()["content-type"]);
        let body = get.bytes().await.unwrap();
        assert_eq!(format!("sha256:{}", hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&body))), digest);
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["schemaVersion"], 2);
    }
}

#[tokio::test]
async fn an_oci_index_is_not_there_for_who_accepts_docker_alone() {
    let lab = Lab::open().await;
    let mut kinds = Vec::new();
    for n in 0..8 {
        let tag = format!("v{n}");
        lab.azure.push_image("team/tool", &tag);
        let path = format!("/v2/team/tool/manifests/{tag}");
        let head = lab.plane(Method::HEAD, "team/tool", "pull", &path).await;
        let kind = head.headers()["content-type"].to_str().unwrap().to_owned();
        let token = lab.access_token("repository:team/tool:pull").await;
        for accept in [Some(DOCKER), None] {
            let mut call = lab.http.get(format!("{}{path}", lab.base())).bearer_auth(&token);
            if let Some(accept) = accept {
                call = call.header("accept", accept);
            }
            let answer = call.send().await.unwrap();
            match kind == DOCKER {
                true => assert_eq!(answer.status(), 200),
                false => assert_eq!(code(answer, 404).await, "MANIFEST_UNKNOWN"),
            }
        }
        kinds.push(kind);
    }
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 2, "some images are of one kind, some of the other");
}

#[tokio::test]
async fn what_is_unknown_says_whether_it_is_the_repository_or_its_part() {
    let lab = Lab::open().await;
    for (repository, path, wanted) in [
        ("gone", "/v2/gone/manifests/v1", "NAME_UNKNOWN"),
        ("elb-api", "/v2/elb-api/manifests/v9", "MANIFEST_UNKNOWN"),
        ("elb-api", "/v2/elb-api/manifests/sha256:00", "MANIFEST_UNKNOWN"),
        ("gone", "/acr/v1/gone/_tags", "NAME_UNKNOWN"),
        ("gone", "/acr/v1/gone/_tags/v1", "NAME_UNKNOWN"),
        ("elb-api", "/acr/v1/elb-api/_tags/v9", "TAG_UNKNOWN"),
        ("gone", "/acr/v1/gone/_manifests", "NAME_UNKNOWN"),
    ] {
        let answer = lab.plane(Method::GET, repository, "pull,metadata_read", path).await;
        assert_eq!(code(answer, 404).await, wanted, "{path}");
    }
    let encoded = lab.plane(Method::GET, "team/tool", "pull", "/v2/team%2Ftool/manifests/v1").await;
    assert_eq!(code(encoded, 400).await, "NAME_INVALID");
}

#[tokio::test]
async fn tags_come_in_pages_in_the_order_that_was_asked_for() {
    let lab = Lab::open().await;
    for tag in ["c", "a", "b"] {
        lab.azure.push_image("team/tool", tag);
    }
    let mut path = "/acr/v1/team/tool/_tags?n=2&orderby=timedesc".to_owned();
    let mut names = Vec::new();
    loop {
        let answer = lab.plane(Method::GET, "team/tool", "metadata_read", &path).await;
        let link = answer.headers().get("link").map(|link| link.to_str().unwrap().to_owned());
        let body: Value = answer.json().await.unwrap();
        assert_eq!((&body["registry"], &body["imageName"]), (&json!(lab.login_server()), &json!("team/tool")));
        names.extend(body["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap().to_owned()));
        let Some(link) = link else { break };
        path = link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned();
        assert!(path.contains("last=a") && path.contains("n=2"), "{path}");
    }
    assert_eq!(names, ["b", "a", "c"]);
    let plain = lab.metadata("team/tool", "/_tags").await;
    assert_eq!(plain["tags"][0]["name"], "a");
    assert!(plain["tags"][0]["createdTime"].as_str().unwrap().ends_with('Z'));
    for bad in ["n=0", "n=x", "orderby=size"] {
        let answer =
            lab.plane(Method::GET, "team/tool", "metadata_read", &format!("/acr/v1/team/tool/_tags?{bad}")).await;
        assert_eq!(code(answer, 400).await, "PAGINATION_INVALID");
    }
}

#[tokio::test]
async fn a_deleted_tag_leaves_its_manifest_and_a_deleted_manifest_takes_its_tags() {
    let lab = Lab::open().await;
    let digest = lab.azure.push_image("team/tool", "v1");
    let delete = |actions: &'static str, path: String| {
        let lab = &lab;
        async move { lab.plane(Method::DELETE, "team/tool", actions, &path).await }
    };
    assert_eq!(code(delete("pull", "/acr/v1/team/tool/_tags/v1".into()).await, 401).await, "UNAUTHORIZED");
    assert_eq!(code(delete("delete", "/v2/team/tool/manifests/v1".into()).await, 405).await, "UNSUPPORTED");
    assert_eq!(delete("delete", "/acr/v1/team/tool/_tags/v1".into()).await.status(), 202);
    assert_eq!(code(delete("delete", "/acr/v1/team/tool/_tags/v1".into()).await, 404).await, "TAG_UNKNOWN");
    let orphan = lab.metadata("team/tool", "/_manifests").await["manifests"][0].clone();
    assert_eq!((&orphan["digest"], orphan.get("tags")), (&json!(digest), None));
    assert_eq!(lab.azure.push_image("team/tool", "v1"), digest);
    let tagged = lab.metadata("team/tool", &format!("/_manifests/{digest}")).await["manifest"].clone();
    assert_eq!(tagged["tags"], json!(["v1"]));
    assert_eq!(delete("delete", format!("/v2/team/tool/manifests/{digest}")).await.status(), 202);
    assert!(!lab.azure.images().contains_key("team/tool:v1"));
    assert_eq!(code(delete("delete", format!("/v2/team/tool/manifests/{digest}")).await, 404).await, "NAME_UNKNOWN");
}

#[tokio::test]
async fn a_build_pushes_where_a_rollout_pulls() {
    let lab = Lab::open().await;
    let source = lab.upload(archive(&[("Dockerfile", "FROM scratch\n")])).await;
    let run = lab.queue(&request("elb-api:v1.1.0", &source)).await;
    let built = lab.finish(&run).await["outputImages"][0].clone();
    assert_eq!(built["registry"], lab.login_server());
    let head = lab.plane(Method::HEAD, "elb-api", "pull", "/v2/elb-api/manifests/v1.1.0").await;
    assert_eq!(head.headers()["docker-content-digest"], built["digest"].as_str().unwrap());
    let newest = lab.metadata("elb-api", "/_tags?orderby=timedesc&n=1").await["tags"][0].clone();
    assert_eq!((&newest["name"], &newest["digest"]), (&json!("v1.1.0"), &built["digest"]));
}
