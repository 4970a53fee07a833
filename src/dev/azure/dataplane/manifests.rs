//! Manifests: the image's own under `/v2/`, and what the registry knows of them under `/acr/v1/`.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::challenge::allow;
use super::error::RegistryError;
use super::manifest::DOCKER;
use super::reference::Reference;
use super::store::{Repository, Stored};
use super::tags::{attributes_of, page};
use crate::dev::azure::clock;
use crate::dev::azure::request::Received;
use crate::dev::azure::world::Sim;

fn unknown(repository: &str, reference: &Reference) -> RegistryError {
    let (message, tag, revision) = match reference {
        Reference::Tag(tag) => (format!("manifest tagged by \"{tag}\" is not found"), tag.as_str(), ""),
        Reference::Digest(digest) => (format!("manifest {digest} is not found"), "", digest.as_str()),
    };
    let detail = json!({"Name": repository, "Tag": tag, "Revision": revision});
    RegistryError::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message, detail)
}

/// GET and HEAD. Who does not accept the manifest's own media type does not find it; docker's is the default.
pub(super) fn get(sim: &Sim, request: &Received, name: &str, reference: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "pull")?;
    let reference = Reference::of(reference);
    let mut world = sim.world();
    let registry = &world.up_to_date(sim).registry;
    let repository = registry.repositories.get(name).ok_or_else(|| RegistryError::name_unknown(name))?;
    let digest = repository.digest(&reference).ok_or_else(|| unknown(name, &reference))?;
    let stored = repository.manifests.get(digest).ok_or_else(|| unknown(name, &reference))?;
    let media_type = stored.manifest.media_type;
    if media_type != DOCKER && !accepts(request, media_type) {
        return Err(unknown(name, &reference));
    }
    let headers = [
        (header::CONTENT_TYPE.as_str(), media_type.to_owned()),
        ("docker-content-digest", digest.to_owned()),
        (header::ETAG.as_str(), format!("\"{digest}\"")),
    ];
    let mut response = stored.manifest.bytes.clone().into_response();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<header::HeaderName>(), value.parse()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn accepts(request: &Received, media_type: &str) -> bool {
    let given = request.parts.headers.get_all(header::ACCEPT);
    let types = given.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    types.filter_map(|entry| entry.split(';').next()).any(|entry| entry.trim() == media_type)
}

pub(super) fn delete(sim: &Sim, request: &Received, name: &str, reference: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "delete")?;
    let reference = Reference::of(reference);
    let Reference::Digest(digest) = &reference else {
        let message = "The operation is unsupported: a manifest is deleted by its digest.";
        return Err(RegistryError::unsupported(StatusCode::METHOD_NOT_ALLOWED, message));
    };
    let mut world = sim.world();
    world.up_to_date(sim);
    if !world.registry.repositories.contains_key(name) {
        return Err(RegistryError::name_unknown(name));
    }
    if !world.registry.delete_manifest(name, digest) {
        return Err(unknown(name, &reference));
    }
    Ok(StatusCode::ACCEPTED.into_response())
}

/// Ordered by digest, or by time.
pub(super) fn list(sim: &Sim, request: &Received, name: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "metadata_read")?;
    let mut world = sim.world();
    let registry = &world.up_to_date(sim).registry;
    let repository = registry.repositories.get(name).ok_or_else(|| RegistryError::name_unknown(name))?;
    let all = repository.manifests.iter().map(|(digest, stored)| (digest.clone(), stored.updated_at));
    let (digests, link) = page(request, all.collect())?;
    let told = digests
        .iter()
        .filter_map(|digest| Some(attributes_told(digest, repository.manifests.get(digest)?, repository)));
    let body = json!({"registry": sim.login_server(), "imageName": name, "manifests": told.collect::<Vec<_>>()});
    Ok((link, Json(body)).into_response())
}

pub(super) fn attributes(sim: &Sim, request: &Received, name: &str, digest: &str) -> Result<Response, RegistryError> {
    allow(sim, request, name, "metadata_read")?;
    let mut world = sim.world();
    let registry = &world.up_to_date(sim).registry;
    let repository = registry.repositories.get(name).ok_or_else(|| RegistryError::name_unknown(name))?;
    let stored = repository.manifests.get(digest).ok_or_else(|| unknown(name, &Reference::of(digest)))?;
    let told = attributes_told(digest, stored, repository);
    Ok(Json(json!({"registry": sim.login_server(), "imageName": name, "manifest": told})).into_response())
}

/// An untagged manifest has no `tags`.
fn attributes_told(digest: &str, stored: &Stored, repository: &Repository) -> Value {
    let mut told = json!({
        "digest": digest,
        "imageSize": stored.manifest.image_size,
        "createdTime": clock::ticks(stored.created_at),
        "lastUpdateTime": clock::ticks(stored.updated_at),
        "architecture": "amd64",
        "os": "linux",
        "mediaType": stored.manifest.media_type,
        "changeableAttributes": attributes_of(),
    });
    let tags: Vec<&String> =
        repository.tags.iter().filter(|(_, tag)| tag.digest == digest).map(|(name, _)| name).collect();
    if !tags.is_empty() {
        told["tags"] = json!(tags);
    }
    told
}
