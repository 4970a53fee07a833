//! The table of routes as a service, and what its handlers share.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::extract::Request;
use tower::util::MapRequest;

use super::auth::{Authenticator, Caller};
use super::boundary::behind_boundary;
use super::health::Readiness;
use super::{path, routes};
use crate::engine::Engine;
use crate::pipelines::upgrade::Upgrade;

/// What handlers work with.
#[derive(Clone)]
pub struct HttpState {
    pub engine: Engine,
    pub authenticator: Arc<Authenticator>,
    pub upgrade: Arc<UpgradeHttp>,
    pub readiness: Arc<dyn Readiness>,
}

/// What the upgrade's routes have to know.
#[derive(Clone)]
pub struct UpgradeHttp {
    /// Who may upgrade without the role, by object id in lower case.
    pub admin_oids: Vec<String>,
    /// The components' names in the order of configuration; each has a log `build-<name>`.
    pub components: Vec<String>,
    /// What plans and rollbacks look at, as the phases do.
    pub platform: Arc<Upgrade>,
}

impl UpgradeHttp {
    pub fn is_admin(&self, caller: &Caller) -> bool {
        caller.is_upgrade_admin(&self.admin_oids)
    }
}

impl FromRef<HttpState> for Arc<Authenticator> {
    fn from_ref(state: &HttpState) -> Self {
        Arc::clone(&state.authenticator)
    }
}

/// Everything under the paths of [`routes::FUNCTIONS`], behind the boundary. All of it is one fallback, because paths
/// are brought into form before they are routed: give a router that this one is merged into no fallback of its own.
pub fn router(state: HttpState) -> Router {
    let endpoints = routes::FUNCTIONS.iter().flat_map(|function| function.serves);
    let routes = endpoints.fold(Router::new(), |routes, endpoint| routes.route(endpoint.path, (endpoint.handlers)()));
    let inside = behind_boundary(routes).with_state(state);
    Router::new().fallback_service(MapRequest::new(inside, path::rewrite as fn(Request) -> Request))
}
