//! Tags under `/acr/v1/`: a list in pages, one, and its end.

use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::challenge::allow;
use super::error::RegistryError;
use super::store::Tag;
use crate::dev::azure::clock;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

pub(super) fn attributes_of() -> Value {
    json!({"deleteEnabled": true, "writeEnabled": true, "readEnabled": true, "listEnabled": true})
}

fn told(name: &str, tag: &Tag) -> Value {
    json!({
        "name": name,
        "digest": tag.digest,
        "createdTime": clock::ticks(tag.created_at),
        "lastUpdateTime": clock::ticks(tag.updated_at),
        "signed": false,
        "changeableAttributes": attributes_of(),
    })
}

pub(super) fn list(sim: &Sim, request: &Received, name: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "metadata_read")?;
    let mut world = sim.world();
    let registry = &world.up_to_date(sim).registry;
    let repository = registry.repositories.get(name).ok_or_else(|| RegistryError::name_unknown(name))?;
    let digest = request.query("digest");
    let meant = repository.tags.iter().filter(|(_, tag)| digest.as_ref().is_none_or(|digest| *digest == tag.digest));
    let (names, link) = page(request, meant.map(|(name, tag)| (name.clone(), tag.updated_at)).collect())?;
    let tags: Vec<Value> = names.iter().filter_map(|name| Some(told(name, repository.tags.get(name)?))).collect();
    let body = json!({"registry": sim.login_server(), "imageName": name, "tags": tags});
    Ok((link, Json(body)).into_response())
}

pub(super) fn get(sim: &Sim, request: &Received, name: &str, tag: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "metadata_read")?;
    let mut world = sim.world();
    let registry = &world.up_to_date(sim).registry;
    let repository = registry.repositories.get(name).ok_or_else(|| RegistryError::name_unknown(name))?;
    let found = repository.tags.get(tag).ok_or_else(|| RegistryError::tag_unknown(tag))?;
    Ok(Json(json!({"registry": sim.login_server(), "imageName": name, "tag": told(tag, found)})).into_response())
}

/// The manifest stays.
pub(super) fn delete(sim: &Sim, request: &Received, name: &str, tag: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "delete")?;
    let mut world = sim.world();
    world.up_to_date(sim);
    if !world.registry.repositories.contains_key(name) {
        return Err(RegistryError::name_unknown(name));
    }
    if !world.registry.untag(name, tag) {
        return Err(RegistryError::tag_unknown(tag));
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// The names of one page in the order that was asked for, and the link to the next one.
pub(super) fn page(
    request: &Received,
    mut all: Vec<(String, OffsetDateTime)>,
) -> Result<(Vec<String>, HeaderMap), RegistryError> {
    let refused =
        |name: &str| Err(RegistryError::bad_request("PAGINATION_INVALID", format!("the value of {name} is invalid")));
    let order = request.query("orderby");
    match order.as_deref() {
        None | Some("none" | "") => all.sort_by(|(a, _), (b, _)| a.cmp(b)),
        Some("timedesc") => all.sort_by_key(|(_, at)| std::cmp::Reverse(*at)),
        Some("timeasc") => all.sort_by_key(|(_, at)| *at),
        Some(_) => return refused("orderby"),
    }
    let size = match request.query("n") {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(size) if (1..=LARGEST_PAGE).contains(&size) => size,
            _ => return refused("n"),
        },
    };
    let start = request.query("last").filter(|last| !last.is_empty());
    let by_name = !order.as_deref().is_some_and(|order| order.starts_with("time"));
    // By name a page goes on even after an entry that is gone.
    let start = start.map_or(0, |last| match all.iter().position(|(name, _)| *name == last) {
        Some(at) => at + 1,
        None if by_name => all.iter().filter(|(name, _)| *name < last).count(),
        None => all.len(),
    });
    let names: Vec<String> = all.iter().skip(start).take(size).map(|(name, _)| name.clone()).collect();
    let mut headers = HeaderMap::new();
    if let Some(last) = names.last().filter(|_| start + names.len() < all.len()) {
        let order = order.map(|order| format!("&orderby={order}")).unwrap_or_default();
        let digest = request.query("digest").map(|digest| format!("&digest={digest}")).unwrap_or_default();
        let link = format!("<{}?last={last}&n={size}{order}{digest}>; rel=\"next\"", request.path());
        if let Ok(link) = link.parse() {
            headers.insert(header::LINK, link);
        }
    }
    Ok((names, headers))
}
