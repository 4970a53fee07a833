//! A client of the Table service: point reads, conditional writes, entity-group transactions and ranges.
//!
//! - `columns`: a record as typed columns and back
//! - `batch`: a transaction as a multipart text, and what its answer means
//! - `query`: a range as a filter and its pages
//!
//! Source: "Table service REST API" of the Azure Storage reference. Never upserts, merges, or writes unconditionally.

mod batch;
pub(super) mod columns;
mod query;

use std::sync::Arc;

use azure_core::http::headers::{ERROR_CODE, ETAG};
use azure_core::http::policies::Policy;
use azure_core::http::policies::auth::BearerTokenAuthorizationPolicy;
use azure_core::http::{ClientOptions, Context, Method, Pipeline, PipelineSendOptions, RawResponse, Request, Url};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::connection::Connection;
use super::wire::{Patience, Problem, status};
use crate::engine::ports::StoreError;
use crate::storage::limits::refused;

pub(super) use query::{Page, Place};

const API_VERSION: &str = "2020-12-06";
const ACCEPT: &str = "application/json;odata=minimalmetadata";
/// What stays as it is in a URL.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) struct Tables {
    endpoint: Url,
    table: String,
    pipeline: Pipeline,
    patience: Patience,
}

/// A row as the service holds it.
pub(super) struct Entity {
    pub(super) key: String,
    pub(super) version: String,
    /// With the service's annotations and without its system properties.
    pub(super) columns: Map<String, Value>,
}

/// A conditional write; `body` is the entity's JSON text, keys included.
pub(super) enum Change {
    Insert { body: String },
    Replace { key: String, version: String, body: String },
    Delete { key: String, version: String },
}

pub(super) enum Failed {
    /// The change with this index met a row that is not as it expected.
    Conflict(usize),
    Problem(Problem),
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl Tables {
    pub(super) fn new(
        connection: &Connection,
        table: &str,
        options: ClientOptions,
        patience: Patience,
    ) -> Result<Self, StoreError> {
        let shaped = (3..=63).contains(&table.len())
            && table.starts_with(|c: char| c.is_ascii_alphabetic())
            && table.chars().all(|c| c.is_ascii_alphanumeric());
        if !shaped {
            return Err(refused(format!("'{}' cannot name a table", table.escape_debug())));
        }
        let bearer = connection.credential().map(|credential| {
            let policy = BearerTokenAuthorizationPolicy::new(credential, ["https://storage.azure.com/.default"]);
            Arc::new(policy) as Arc<dyn Policy>
        });
        let name = option_env!("CARGO_PKG_NAME");
        let version = option_env!("CARGO_PKG_VERSION");
        let pipeline = Pipeline::new(name, version, options, Vec::new(), bearer.into_iter().collect(), None);
        Ok(Self { endpoint: connection.table.clone(), table: table.to_owned(), pipeline, patience })
    }

    /// Makes the table unless it is there.
    pub(super) async fn create(&self) -> Result<(), Problem> {
        let body = serde_json::json!({ "TableName": self.table }).to_string();
        let request = self.request(Method::Post, self.url("Tables"), Some(body));
        match self.send(request).await {
            Err(problem) if problem.is(409, "TableAlreadyExists") => Ok(()),
            answer => answer.map(|_| ()),
        }
    }

    pub(super) async fn get(&self, partition: &str, key: &str) -> Result<Option<Entity>, Problem> {
        let request = self.request(Method::Get, self.entity_url(partition, key), None);
        match self.send(request).await {
            Ok(answer) => read_entity(parse(answer.body())?).map(Some),
            Err(problem) if problem.is(404, "ResourceNotFound") => Ok(None),
            Err(problem) => Err(problem),
        }
    }

    /// The new version; empty for a deleted row.
    pub(super) async fn apply(&self, partition: &str, change: &Change) -> Result<String, Failed> {
        let mut request = match change {
            Change::Insert { body } => self.request(Method::Post, self.url(&self.table), Some(body.clone())),
            Change::Replace { key, body, .. } => {
                self.request(Method::Put, self.entity_url(partition, key), Some(body.clone()))
            }
            Change::Delete { key, .. } => self.request(Method::Delete, self.entity_url(partition, key), None),
        };
        if let Change::Replace { version, .. } | Change::Delete { version, .. } = change {
            request.insert_header("if-match", version.clone());
        }
        match self.send(request).await {
            Ok(_) if matches!(change, Change::Delete { .. }) => Ok(String::new()),
            Ok(answer) => match answer.headers().get_optional_string(&ETAG) {
                Some(version) => Ok(version),
                None => Err(Problem::silent("the row was written, but its version was not told").into()),
            },
            Err(problem) if is_conflict(&problem) => Err(Failed::Conflict(0)),
            Err(problem) => Err(problem.into()),
        }
    }

    /// All changes or none; the new versions in their order.
    pub(super) async fn transact(&self, partition: &str, changes: &[Change]) -> Result<Vec<String>, Failed> {
        let body = batch::write(changes, |change| match change {
            Change::Insert { .. } => self.url(&self.table),
            Change::Replace { key, .. } | Change::Delete { key, .. } => self.entity_url(partition, key),
        });
        let mut request = self.request(Method::Post, self.url("$batch"), Some(body));
        request.insert_header("content-type", batch::CONTENT_TYPE);
        let answer = self.send(request).await?;
        batch::read(&String::from_utf8_lossy(answer.body()), changes.len())
    }

    /// Entities with `after < key < before`, at most `most` of them, from where the last page ended.
    pub(super) async fn page(
        &self,
        partition: &str,
        after: &str,
        before: &str,
        most: usize,
        place: Option<&Place>,
    ) -> Result<Page, Problem> {
        let mut url = self.url(&format!("{}()", self.table));
        query::narrow(&mut url, partition, after, before, most, place);
        let answer = self.send(self.request(Method::Get, url, None)).await?;
        let mut body = parse(answer.body())?;
        let entities = match body.get_mut("value").map(Value::take) {
            Some(Value::Array(entities)) => entities.into_iter().map(read_entity).collect::<Result<_, _>>()?,
            _ => return Err(Problem::silent("the answer to a query holds no rows")),
        };
        Ok(Page { entities, next: Place::read(answer.headers()) })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.endpoint.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/{path}"));
        url
    }

    fn entity_url(&self, partition: &str, key: &str) -> Url {
        let quoted = |key: &str| utf8_percent_encode(&key.replace('\'', "''"), ENCODED).to_string();
        self.url(&format!("{}(PartitionKey='{}',RowKey='{}')", self.table, quoted(partition), quoted(key)))
    }

    fn request(&self, method: Method, url: Url, body: Option<String>) -> Request {
        let mut request = Request::new(url, method);
        request.insert_header("x-ms-version", API_VERSION);
        request.insert_header("dataserviceversion", "3.0");
        request.insert_header("maxdataserviceversion", "3.0;NetFx");
        request.insert_header("accept", ACCEPT);
        if let Some(body) = body {
            request.insert_header("content-type", "application/json");
            request.insert_header("prefer", "return-no-content");
            request.set_body(body);
        }
        request
    }

    async fn send(&self, mut request: Request) -> Result<RawResponse, Problem> {
        let context = Context::new();
        let options = PipelineSendOptions { skip_checks: true, ..Default::default() };
        let answer = self.patience.ask(self.pipeline.send(&context, &mut request, Some(options))).await?;
        match status(&answer) {
            200..=299 => Ok(answer),
            status => {
                let code = answer.headers().get_optional_str(&ERROR_CODE).unwrap_or_default();
                Err(problem(status, code, answer.body()))
            }
        }
    }
}

impl std::fmt::Debug for Tables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tables").field("endpoint", &self.endpoint.as_str()).field("table", &self.table).finish()
    }
}

/// The row was there, gone, or another version of itself.
fn is_conflict(problem: &Problem) -> bool {
    problem.is(409, "EntityAlreadyExists")
        || problem.status() == 412
        || problem.is(404, "ResourceNotFound")
        || problem.is(404, "EntityNotFound")
}

/// From `{"odata.error": {"code", "message": {"value"}}}`, or from the code alone where the body has another form.
fn problem(status: u16, code: &str, body: &[u8]) -> Problem {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("odata.error").unwrap_or(&Value::Null);
    let text = |pointer| error.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let code = if text("/code").is_empty() { code } else { text("/code") };
    Problem::answered(status, code, text("/message/value"))
}

fn parse(body: &[u8]) -> Result<Value, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::silent(format!("the answer is no JSON: {error}")))
}

fn read_entity(entity: Value) -> Result<Entity, Problem> {
    let Value::Object(mut columns) = entity else { return Err(Problem::silent("a row is no JSON object")) };
    let mut take = |name: &str| match columns.remove(name) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Problem::silent(format!("a row came without its {name}"))),
    };
    let (key, version) = (take("RowKey")?, take("odata.etag")?);
    for system in ["PartitionKey", "Timestamp", "Timestamp@odata.type", "odata.metadata"] {
        columns.remove(system);
    }
    Ok(Entity { key, version, columns })
}
