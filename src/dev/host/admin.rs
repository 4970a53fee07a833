//! The host's own pages: `/admin/host/ping`, `/admin/host/status`, `POST /admin/functions/<name>`, and the page at `/`.
//! There are no keys: the port is on loopback only, as under `func start`.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_util::task::TaskTracker;

use super::envelope;
use super::functions::{Function, Trigger};
use super::invoker::{Invoker, VERSION};
use super::ordered::Json;
use super::response::Response;
use super::timer::Timer;
use super::wire::{Body, Wire};

pub const WELCOME: &str = "<!DOCTYPE html>\n<html>\n<head>\n    <title>Your Azure Function App is up and running.</title>\n\
                           </head>\n<body>The local Functions host is running.</body>\n</html>\n";

pub struct Admin {
    pub functions: Vec<Arc<Function>>,
    pub timers: HashMap<String, Arc<Timer>>,
    pub invoker: Arc<Invoker>,
    pub running: TaskTracker,
}

impl Admin {
    /// Whether the path is the host's own whatever the functions' routes are.
    pub fn owns(&self, path: &str) -> bool {
        let path = path.to_ascii_lowercase();
        matches!(path.as_str(), "/admin/host/ping" | "/admin/host/status" | "/admin/functions")
            || path.starts_with("/admin/functions/")
            || path.starts_with("/runtime/webhooks/")
    }

    pub async fn answer(&self, method: &str, path: &str, client: &mut Wire, body: &mut Body) -> Response {
        let lower = path.to_ascii_lowercase();
        match (method, lower.trim_start_matches("/admin/")) {
            (_, "host/ping") => Response::empty(200, "OK"),
            ("GET", "host/status") => {
                let state = Json::object([("state", "Running".into()), ("version", VERSION.into())]);
                Response::with_body("application/json; charset=utf-8", state.to_string())
            }
            ("GET", "functions") => {
                let described = self.functions.iter().map(|function| {
                    Json::object([("name", function.name.as_str().into()), ("isDisabled", function.disabled.into())])
                });
                Response::with_body("application/json; charset=utf-8", Json::List(described.collect()).to_string())
            }
            ("POST", rest) if rest.starts_with("functions/") => {
                let name = rest.trim_start_matches("functions/").trim_end_matches('/');
                let Some(function) = self.functions.iter().find(|function| function.name.eq_ignore_ascii_case(name))
                else {
                    return Response::empty(404, "Not Found");
                };
                let Ok(content) = client.read_all(*body).await else {
                    return Response { cut: true, ..Response::empty(400, "Bad Request") };
                };
                *body = Body::Done;
                self.start(function, &content)
            }
            _ => Response::empty(404, "Not Found"),
        }
    }

    /// Starts an invocation by hand; the answer does not wait for it.
    fn start(&self, function: &Arc<Function>, content: &[u8]) -> Response {
        let Ok(input) = Json::parse(content) else { return Response::empty(400, "Bad Request") };
        let input = match input.get("input") {
            None | Some(Json::Null) => String::new(),
            Some(Json::Text(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        match &function.trigger {
            Trigger::Http(_) => return Response::empty(400, "Bad Request"),
            Trigger::Timer(_) => {
                let Some(timer) = self.timers.get(&function.name).cloned() else {
                    return Response::empty(404, "Not Found");
                };
                self.running.spawn(async move { timer.fire_by_hand().await });
            }
            Trigger::Queue { .. } => {
                let (function, invoker) = (Arc::clone(function), Arc::clone(&self.invoker));
                self.running.spawn(async move {
                    let body = envelope::queue_by_hand(&function.name, &function.binding, &input);
                    if let Err(why) = invoker.invoke(&function, &body).await {
                        invoker.voice.complain(&format!("function '{}' {why}", function.name));
                    }
                });
            }
        }
        Response::empty(202, "Accepted")
    }
}
