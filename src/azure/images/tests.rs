use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::azure::testing::{Canned, FakeCredential, PLANTED, Seen, Server};
use crate::azure::{ArmClient, Cloud};

const DIGEST: &str = "sha256:110d2b6c84592561338aa040b1b14b7ab81c2f9edbd564c2285dd7d70d777086";

fn registry(server: &Server, credential: Arc<dyn TokenCredential>) -> RegistryClient {
    let cloud = Cloud::custom(&server.url(""), "https://login.invalid", "local").unwrap();
    RegistryClient::new(ArmClient::new(&cloud, credential).unwrap(), "s", "g", "myRegistry")
}

fn client(server: &Server) -> ImagesClient {
    ImagesClient::new(registry(server, Arc::new(FakeCredential)))
}

/// The Resource Manager's answer, which names the same server as the login server.
fn resource(server: &Server) -> Canned {
    Canned::json(200, json!({"name": "myRegistry", "properties": {"loginServer": server.host()}}))
}

fn challenge(server: &Server) -> Canned {
    let told = format!(r#"Bearer realm="{}",service="the-service""#, server.url("/oauth2/token"));
    Canned::empty(401).with_header("www-authenticate", &told)
}

fn jwt(lives: Duration, access: &Value) -> String {
    let exp = (SystemTime::now() + lives).duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims = json!({"exp": exp, "access": access}).to_string();
    format!("e30.{}.{PLANTED}", URL_SAFE_NO_PAD.encode(claims))
}

const HOUR: Duration = Duration::from_secs(3600);

fn refresh() -> Canned {
    Canned::json(200, json!({"refresh_token": jwt(HOUR, &Value::Null)}))
}

fn allowing(actions: &[&str]) -> Canned {
    let access = json!([{"type": "repository", "name": "team/api", "actions": actions}]);
    Canned::json(200, json!({"access_token": jwt(HOUR, &access)}))
}

fn found() -> Canned {
    Canned::empty(200).with_header("docker-content-digest", DIGEST)
}

fn unknown(code: &str) -> Canned {
    Canned::json(404, json!({"errors": [{"code": code, "message": "not known", "detail": {"name": "x"}}]}))
}

/// All that comes before the first call that carries a token of the registry.
fn login(server: &Server, actions: &[&str]) -> [Canned; 4] {
    [resource(server), challenge(server), refresh(), allowing(actions)]
}

fn form(seen: &Seen) -> Vec<(String, String)> {
    assert_eq!(seen.header("content-type"), "application/x-www-form-urlencoded");
    url::form_urlencoded::parse(&seen.body).into_owned().collect()
}

fn shapes(seen: &[Seen]) -> Vec<String> {
    seen.iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
}

/// Entra's tokens tell whose they are.
#[derive(Debug)]
struct Tenant;

impl Tenant {
    fn token() -> String {
        format!("e30.{}.{PLANTED}", URL_SAFE_NO_PAD.encode(r#"{"tid":"a-tenant"}"#))
    }
}

#[async_trait::async_trait]
impl TokenCredential for Tenant {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(
            Self::token(),
            azure_core::time::OffsetDateTime::now_utc() + azure_core::time::Duration::hours(1),
        ))
    }
}

#[tokio::test]
async fn an_image_is_looked_for_with_a_token_that_was_traded_twice() {
    let server = Server::start([]).await;
    server.then(login(&server, &["pull"]));
    server.then([found()]);
    let client = ImagesClient::new(registry(&server, Arc::new(Tenant)));
    let digest = client.digest("team/api", "v1.2.3").await.unwrap();
    assert_eq!(digest.as_deref(), Some(DIGEST));
    let seen = server.seen();
    assert_eq!(
        shapes(&seen)[1..],
        ["GET /v2/", "POST /oauth2/exchange", "POST /oauth2/token", "HEAD /v2/team/api/manifests/v1.2.3",]
    );
    assert_eq!(seen[1].header("authorization"), "");
    let pairs =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>();
    let [exchanged, traded] = [form(&seen[2]), form(&seen[3])];
    let given = [("service", "the-service"), ("tenant", "a-tenant"), ("access_token", &Tenant::token())];
    assert_eq!(exchanged[0], ("grant_type".to_owned(), "access_token".to_owned()));
    assert_eq!(exchanged[1..], pairs(&given));
    assert_eq!(
        traded[..3],
        pairs(&[("grant_type", "refresh_token"), ("service", "the-service"), ("scope", "repository:team/api:pull"),])
    );
    for kind in ["oci.image.index.v1", "oci.image.manifest.v1", "manifest.list.v2", "distribution.manifest.v2"] {
        assert!(seen[4].header("accept").contains(kind), "{kind}");
    }
    assert!(seen[4].header("authorization").starts_with("Bearer e30."));
}

#[tokio::test]
async fn tokens_are_remembered_for_each_right_and_not_beyond_their_end() {
    let server = Server::start([]).await;
    server.then(login(&server, &["pull"]));
    server.then([found(), found(), allowing(&["delete"]), Canned::empty(202)]);
    let client = client(&server);
    for _ in 0..2 {
        client.clone().digest("team/api", DIGEST).await.unwrap();
    }
    client.delete_tag("team/api", "v1").await.unwrap();
    let manifest = format!("HEAD /v2/team/api/manifests/{DIGEST}");
    let last = ["POST /oauth2/token".to_owned(), "DELETE /acr/v1/team/api/_tags/v1".to_owned()];
    assert_eq!(shapes(&server.seen())[4..6], [manifest.clone(), manifest]);
    assert_eq!(shapes(&server.seen())[6..], last);

    let short = |name: &str| {
        Canned::json(
            200,
            json!({name: jwt(Duration::from_secs(60), &json!([
                {"type": "repository", "name": "team/api", "actions": ["pull"]}
            ]))}),
        )
    };
    let server = Server::start([]).await;
    server.then([resource(&server), challenge(&server)]);
    server.then([short("refresh_token"), short("access_token"), found()]);
    server.then([short("refresh_token"), short("access_token"), found()]);
    let client = self::client(&server);
    for _ in 0..2 {
        client.digest("team/api", "v1").await.unwrap();
    }
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn an_image_that_is_not_there_is_nothing_and_one_without_a_digest_is_told_apart() {
    let server = Server::start([]).await;
    server.then(login(&server, &["pull"]));
    server.then([unknown("MANIFEST_UNKNOWN"), unknown("NAME_UNKNOWN"), Canned::empty(200), Canned::empty(503)]);
    let client = client(&server);
    assert_eq!(client.digest("team/api", "v1").await, Ok(None));
    assert_eq!(client.digest("team/api", "v1").await, Ok(None));
    assert_eq!(client.digest("team/api", "v1").await.unwrap_err().kind, ErrorKind::Unreadable);
    assert!(client.digest("team/api", "v1").await.unwrap_err().is_retryable());
    assert_eq!(client.login_server().await, Ok(server.host().as_str()));
    // Where the registry is was asked once.
    assert_eq!(server.seen().iter().filter(|seen| seen.target.contains("Microsoft.ContainerRegistry")).count(), 1);
}

fn tag(name: &str, deletable: bool) -> Value {
    json!({
        "name": name, "digest": DIGEST, "createdTime": "2018-09-06T16:30:43.3860166Z",
        "lastUpdateTime": "2018-09-07T16:30:46.7022734Z",
        "changeableAttributes": {"deleteEnabled": deletable, "writeEnabled": true}
    })
}

#[tokio::test]
async fn tags_are_read_page_by_page() {
    let server = Server::start([]).await;
    server.then(login(&server, &["metadata_read"]));
    let page = |tags: Value| Canned::json(200, json!({"registry": "r", "imageName": "team/api", "tags": tags}));
    let next = r#"</acr/v1/team/api/_tags?last=v1&n=100&orderby=timedesc>; rel="next""#;
    server.then([page(json!([tag("v2", true)])).with_header("link", next), page(json!([tag("v1", false)]))]);
    let client = client(&server);
    let tags = client.tags("team/api").await.unwrap();
    let names: Vec<_> = tags.iter().map(|tag| (tag.name.as_str(), tag.is_locked())).collect();
    assert_eq!(names, [("v2", false), ("v1", true)]);
    assert_eq!((tags[0].digest.as_str(), tags[0].created), (DIGEST, Timestamp::parse("2018-09-06T16:30:43.386Z")));
    assert_eq!(tags[0].updated, Timestamp::parse("2018-09-07T16:30:46.702Z"));
    let seen = server.seen();
    assert_eq!(seen[4].target, "/acr/v1/team/api/_tags?n=100&orderby=timedesc");
    assert_eq!(seen[5].target, "/acr/v1/team/api/_tags?last=v1&n=100&orderby=timedesc");
    assert_eq!(form(&seen[3])[2].1, "repository:team/api:metadata_read");

    server.then([page(Value::Null), unknown("NAME_UNKNOWN"), unknown("OTHER")]);
    assert_eq!(client.tags("team/api").await, Ok(Vec::new()));
    assert_eq!(client.tags("team/api").await, Ok(Vec::new()));
    assert_eq!(client.tags("team/api").await.unwrap_err().kind, ErrorKind::NotFound);
    server.then((0..=MAX_PAGES).map(|_| page(json!([])).with_header("link", next)));
    assert_eq!(client.tags("team/api").await.unwrap_err().kind, ErrorKind::Unreadable);
}

#[tokio::test]
async fn deleting_is_asked_for_by_name_and_what_is_gone_is_gone() {
    let server = Server::start([]).await;
    server.then(login(&server, &["delete"]));
    let locked =
        json!({"errors": [{"code": "UNSUPPORTED", "message": "The operation is disallowed on this repository."}]});
    server.then([Canned::empty(202), unknown("MANIFEST_UNKNOWN"), unknown("TAG_UNKNOWN"), Canned::json(405, locked)]);
    let client = client(&server);
    client.delete_manifest("team/api", DIGEST).await.unwrap();
    client.delete_manifest("team/api", DIGEST).await.unwrap();
    client.delete_tag("team/api", "v1").await.unwrap();
    let error = client.delete_tag("team/api", "v1").await.unwrap_err();
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Invalid, "UNSUPPORTED"));
    let manifest = format!("DELETE /v2/team/api/manifests/{DIGEST}");
    assert_eq!(shapes(&server.seen())[4..7], [manifest.clone(), manifest, "DELETE /acr/v1/team/api/_tags/v1".into()]);
    assert_eq!(form(&server.seen()[3])[2].1, "repository:team/api:delete");
    // A tag is no digest: what it names might have other tags.
    assert_eq!(client.delete_manifest("team/api", "v1").await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn a_missing_right_is_named_with_its_role_before_anything_is_asked() {
    let server = Server::start([]).await;
    server.then(login(&server, &["metadata_read"]));
    server.then([allowing(&["pull"]), Canned::json(200, json!({"access_token": jwt(HOUR, &Value::Null)}))]);
    let client = client(&server);
    let error = client.digest("team/api", "v1").await.unwrap_err();
    assert_eq!((error.kind, error.is_retryable()), (ErrorKind::Forbidden, false));
    assert!(error.message.contains("AcrPull") && error.message.contains("Repository Reader"), "{error}");
    let error = client.delete_tag("team/api", "v1").await.unwrap_err();
    assert!(error.message.contains("AcrDelete") && error.message.contains("team/api"), "{error}");
    assert_eq!(client.tags("team/api").await.unwrap_err().kind, ErrorKind::Forbidden);
    assert!(shapes(&server.seen())[4..].iter().all(|shape| shape == "POST /oauth2/token"));
}

#[tokio::test]
async fn a_token_that_is_not_enough_is_no_reason_to_ask_again_and_one_that_was_withdrawn_is() {
    let insufficient = r#"Bearer realm="x",scope="repository:team/api:pull",error="insufficient_scope""#;
    let withdrawn = || Canned::json(401, json!({"errors": [{"code": "UNAUTHORIZED", "message": "log in"}]}));
    let server = Server::start([]).await;
    server.then(login(&server, &["pull"]));
    server.then([found(), Canned::empty(401).with_header("www-authenticate", insufficient)]);
    let client = client(&server);
    client.digest("team/api", "v1").await.unwrap();
    let error = client.digest("team/api", "v1").await.unwrap_err();
    assert!(error.kind == ErrorKind::Forbidden && error.message.contains("AcrPull"), "{error}");
    assert_eq!(server.seen().len(), 6);

    server.then([withdrawn(), refresh(), allowing(&["pull"]), found()]);
    assert_eq!(client.digest("team/api", "v1").await.unwrap().as_deref(), Some(DIGEST));
    assert_eq!(server.seen().len(), 10);

    server.then([withdrawn(), refresh(), allowing(&["pull"]), withdrawn()]);
    assert_eq!(client.digest("team/api", "v1").await.unwrap_err().kind, ErrorKind::Unauthorized);
    assert_eq!(server.seen().len(), 14);
}

#[tokio::test]
async fn no_token_goes_to_a_host_that_is_not_the_login_server() {
    let elsewhere = Server::start([]).await;
    let server = Server::start([]).await;
    server.then([resource(&server), challenge(&elsewhere)]);
    let error = client(&server).digest("team/api", "v1").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Invalid);

    let redirect = || Canned::empty(307).with_header("location", &elsewhere.url("/stolen"));
    server.then([resource(&server), challenge(&server), redirect()]);
    assert_eq!(client(&server).digest("team/api", "v1").await.unwrap_err().kind, ErrorKind::Invalid);
    server.then(login(&server, &["pull", "metadata_read"]));
    server.then([redirect(), allowing(&["metadata_read"])]);
    let link = format!(r#"<{}>; rel="next""#, elsewhere.url("/acr/v1/team/api/_tags?last=v1"));
    server.then([Canned::json(200, json!({"tags": []})).with_header("link", &link)]);
    let client = client(&server);
    assert_eq!(client.digest("team/api", "v1").await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(client.tags("team/api").await.unwrap_err().kind, ErrorKind::Invalid);
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_does_not_answer_as_a_registry_is_told_apart() {
    let busy = || Canned::empty(429).with_header("retry-after", "17");
    let server = Server::start([]).await;
    server.then([resource(&server), Canned::empty(200), Canned::empty(401), busy(), challenge(&server), busy()]);
    server.then([Canned::json(200, json!({})), refresh(), Canned::json(200, json!({"access_token": "opaque"}))]);
    let client = client(&server);
    let look = async || client.digest("team/api", "v1").await.unwrap_err();
    assert_eq!(look().await.kind, ErrorKind::Unreadable);
    assert_eq!(look().await.kind, ErrorKind::Unauthorized);
    for _ in 0..2 {
        let error = look().await;
        assert_eq!((error.kind, error.retry_after), (ErrorKind::Throttled, Some(Duration::from_secs(17))));
    }
    assert_eq!(look().await.kind, ErrorKind::Unreadable);
    assert_eq!(look().await.kind, ErrorKind::Unreadable);
}

#[tokio::test]
async fn odd_names_are_refused_before_anybody_is_asked() {
    let server = Server::start([]).await;
    let client = client(&server);
    for name in ["", "../api", "a%2Fb", "Api", "a?b"] {
        assert_eq!(client.digest(name, "v1").await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(client.tags(name).await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(client.delete_tag(name, "v1").await.unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(client.delete_manifest(name, DIGEST).await.unwrap_err().kind, ErrorKind::Invalid);
    }
    assert!(server.seen().is_empty());
}

/// What is said while a test runs.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_token_shows_in_an_error_in_the_log_or_in_the_client() {
    // A place that speaks for the first time in another test, to which nobody listens, would be silent here as well.
    let before = Server::start([]).await;
    before.then([resource(&before), challenge(&before), refresh(), allowing(&["pull"]), found()]);
    client(&before).digest("team/api", "v1").await.unwrap();
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    let _guard = tracing::subscriber::set_default(subscriber.finish());
    let echo = Canned::json(401, json!({"errors": [{"code": "UNAUTHORIZED", "message": format!("got {PLANTED}")}]}));
    let server = Server::start([]).await;
    server.then([resource(&server), challenge(&server), echo, refresh()]);
    // One that repeats the form, token and all.
    server.then([Canned::text(400, &format!("cannot read refresh_token={}", jwt(HOUR, &Value::Null)))]);
    let client = client(&server);
    let error = client.digest("team/api", "v1").await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Unauthorized, "got ***"));
    let refused = client.digest("team/api", "v1").await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Invalid);
    server.then([allowing(&["pull"]), found()]);
    client.digest("team/api", "v1").await.unwrap();
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/v2/team/api/manifests/v1") && !log.contains(PLANTED), "{log}");
    let shown = format!("{error} {error:?} {refused} {refused:?} {client:?}");
    assert!(!shown.contains(PLANTED) && !shown.contains("e30."), "{shown}");
}

#[tokio::test]
async fn entra_is_asked_for_a_token_that_the_registries_of_its_cloud_take() {
    #[derive(Debug, Default)]
    struct Recording(Mutex<Vec<String>>);
    #[async_trait::async_trait]
    impl TokenCredential for Recording {
        async fn get_token(
            &self,
            scopes: &[&str],
            options: Option<TokenRequestOptions<'_>>,
        ) -> azure_core::Result<AccessToken> {
            self.0.lock().unwrap().extend(scopes.iter().map(|scope| (*scope).to_owned()));
            FakeCredential.get_token(scopes, options).await
        }
    }
    let asked = async |cloud: Cloud| {
        let credential = Arc::new(Recording::default());
        ArmClient::new(&cloud, credential.clone()).unwrap().registry_token().await.unwrap();
        credential.0.lock().unwrap().concat()
    };
    assert_eq!(asked(Cloud::public().unwrap()).await, "https://containerregistry.azure.net/.default");
    assert_eq!(asked(Cloud::china().unwrap()).await, "https://management.chinacloudapi.cn/.default");
}
