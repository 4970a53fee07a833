//! An invocation is answered when its telemetry is on its way: after the answer, the host may put the instance to sleep.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use futures::future::join_all;

use super::outlet::Outlet;

/// Has everything that changes something flushed before it answers. What only reads does not wait: it is sent in time.
pub fn flushed(router: Router, outlets: &Arc<[Arc<Outlet>]>) -> Router {
    router.layer(middleware::from_fn_with_state(Arc::clone(outlets), answer))
}

async fn answer(State(outlets): State<Arc<[Arc<Outlet>]>>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let response = next.run(request).await;
    if !reads {
        join_all(outlets.iter().map(Outlet::flush)).await;
    }
    response
}
