//! Who may call Resource Manager: bearer tokens for its audience, issued in the subscription's tenant.

use serde_json::Value;

use super::arm_error::ArmError;
use super::clock::american;
use super::request::Received;
use super::tokens::{Disbelief, believed};
use super::world::Sim;

/// The audiences that Resource Manager answers to: its public names and the endpoint it is reached at.
pub(super) fn audiences(sim: &Sim) -> [&str; 5] {
    [
        "https://management.azure.com",
        "https://management.core.windows.net",
        "https://management.usgovcloudapi.net",
        "https://management.chinacloudapi.cn",
        &sim.base,
    ]
}

/// The claims of the caller.
pub(super) fn caller(sim: &Sim, request: &Received) -> Result<Value, ArmError> {
    let authority = format!("{}/{}", sim.base, sim.options.tenant_id);
    let refuse = |code, message: String| ArmError::unauthorized(code, message, &authority);
    let Some(header) = request.header("authorization") else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(refuse("AuthenticationFailed", message.into()));
    };
    let Some(token) = header.strip_prefix("Bearer ") else {
        let message = "Authentication failed. The 'Authorization' header is provided in an invalid format.";
        return Err(refuse("AuthenticationFailed", message.into()));
    };
    let claims = believed(sim, token).map_err(|why| match why {
        Disbelief::Invalid => refuse("InvalidAuthenticationToken", "The access token is invalid.".into()),
        Disbelief::Expired { at } => refuse(
            "ExpiredAuthenticationToken",
            format!(
                "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
                american(at),
                american(sim.clock.now())
            ),
        ),
    })?;
    let audience = claims["aud"].as_str().unwrap_or_default();
    if !audiences(sim).contains(&audience.trim_end_matches('/')) {
        return Err(refuse(
            "InvalidAuthenticationTokenAudience",
            format!(
                "The access token has been obtained for wrong audience or resource '{audience}'. It should exactly match with one of the allowed audiences '{}/'.",
                audiences(sim).join("/','")
            ),
        ));
    }
    let (issuer, expected) = (claims["iss"].as_str().unwrap_or_default(), sim.issuer_v1());
    if issuer != expected && issuer != sim.issuer_v2() {
        return Err(refuse(
            "InvalidAuthenticationTokenTenant",
            format!(
                "The access token is from the wrong issuer '{issuer}'. It must match the tenant '{expected}' associated with this subscription."
            ),
        ));
    }
    Ok(claims)
}
