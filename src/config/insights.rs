//! Where Application Insights takes telemetry, and who it takes it from.

use url::Url;

use super::address::is_private;
use super::reader::Reader;
use super::setting::{Kind, Setting};

pub const CONNECTION: Setting = Setting::new(
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    Kind::Text,
    "Where Application Insights takes telemetry, as the Azure portal shows it; the Functions host reads the same. Unset: \
     nothing is sent there.",
)
.secret();

pub const AUTHENTICATION: Setting = Setting::new(
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    Kind::Text,
    "`Authorization=AAD` to send telemetry as the system-assigned identity, `ClientId=<guid>;Authorization=AAD` as a \
     user-assigned one; it needs the role Monitoring Metrics Publisher. The Functions host reads the same.",
);

/// An Application Insights resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InsightsConfig {
    /// Which resource it is; no secret, but nobody else's business.
    pub instrumentation_key: String,
    pub ingestion: Url,
    /// What a token for `ingestion` is asked for.
    pub scope: String,
    /// `None`: whoever knows the key may send.
    pub sign_in: Option<SignIn>,
}

/// The identity that signs in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignIn {
    /// Of a user-assigned identity.
    pub client_id: Option<String>,
}

pub(super) fn load(reader: &mut Reader<'_>) -> Option<InsightsConfig> {
    let resource = match reader.text(&CONNECTION).as_deref().map(connection) {
        Some(Err(problem)) => {
            reader.fault(&CONNECTION, problem, "give the connection string as the Azure portal shows it");
            None
        }
        Some(Ok(resource)) => Some(resource),
        None => None,
    };
    let remedy = "give Authorization=AAD, with ClientId=<guid>; before it for a user-assigned identity";
    let sign_in = reader.parsed(&AUTHENTICATION, remedy, sign_in);
    if reader.is_set(&AUTHENTICATION) && !reader.is_set(&CONNECTION) {
        reader.warn(format!("{} does nothing without {}", AUTHENTICATION.name, CONNECTION.name));
    }
    Some(InsightsConfig { sign_in, ..resource? })
}

/// Where an instrumentation key alone leads.
const GLOBAL: &str = "https://dc.services.visualstudio.com/";
/// The public cloud's audience. The connection strings of other clouds name their own.
const AUDIENCE: &str = "https://monitor.azure.com/";

fn connection(text: &str) -> Result<InsightsConfig, &'static str> {
    let pairs = pairs(text).ok_or("is no list of name=value with semicolons between them")?;
    let find = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let key = find("instrumentationkey").and_then(guid).ok_or("names no InstrumentationKey that is a GUID")?;
    let ingestion = match (find("ingestionendpoint"), find("endpointsuffix")) {
        (Some(endpoint), _) => endpoint.to_owned(),
        (None, Some(suffix)) => {
            let location = find("location").map(|location| format!("{location}.")).unwrap_or_default();
            format!("https://{location}dc.{suffix}/")
        }
        (None, None) => GLOBAL.to_owned(),
    };
    let ingestion = Url::parse(&ingestion).ok().filter(is_private);
    let ingestion = ingestion.ok_or("has an ingestion endpoint that is no https address")?;
    let audience = find("aadaudience").unwrap_or(AUDIENCE);
    Ok(InsightsConfig { instrumentation_key: key, ingestion, scope: format!("{audience}/.default"), sign_in: None })
}

fn sign_in(text: &str) -> Option<SignIn> {
    let pairs = pairs(text)?;
    let find = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    let entra = find("authorization").is_some_and(|word| word.eq_ignore_ascii_case("AAD"));
    let client_id = match find("clientid") {
        Some(id) => Some(guid(id)?),
        None => None,
    };
    entra.then_some(SignIn { client_id })
}

/// The names in lower case.
fn pairs(text: &str) -> Option<Vec<(String, &str)>> {
    let entries = text.split(';').map(str::trim).filter(|entry| !entry.is_empty());
    entries
        .map(|entry| entry.split_once('=').map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim())))
        .collect()
}

fn guid(text: &str) -> Option<String> {
    uuid::Uuid::try_parse(text).ok().map(|id| id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0bdbfc0e-3c3f-4d92-a7a6-b4f0b3a5c0de";

    fn found(rest: &str) -> InsightsConfig {
        connection(&format!("InstrumentationKey={KEY};{rest}")).expect("a connection")
    }

    #[test]
    fn a_connection_string_tells_where_and_for_whom() {
        let portal = "IngestionEndpoint=https://westus2-2.in.applicationinsights.azure.com/;\
                      LiveEndpoint=https://westus2.livediagnostics.monitor.azure.com/;ApplicationId=x";
        let public = found(portal);
        assert_eq!(public.instrumentation_key, KEY);
        assert_eq!(public.ingestion.as_str(), "https://westus2-2.in.applicationinsights.azure.com/");
        assert_eq!(public.scope, "https://monitor.azure.com//.default");
        let government = found("EndpointSuffix=applicationinsights.us;AADAudience=https://monitor.azure.us/");
        assert_eq!(government.ingestion.as_str(), "https://dc.applicationinsights.us/");
        assert_eq!(government.scope, "https://monitor.azure.us//.default");
        assert_eq!(found("").ingestion.as_str(), GLOBAL);
    }

    #[test]
    fn what_leads_nowhere_or_can_be_read_on_the_way_is_refused() {
        for rest in ["IngestionEndpoint=http://in.example/", "IngestionEndpoint=https://u:p@in.example/", "nonsense"] {
            assert!(connection(&format!("InstrumentationKey={KEY};{rest}")).is_err(), "{rest}");
        }
        assert!(connection("InstrumentationKey=key").is_err());
        assert!(connection(&format!("InstrumentationKey={KEY};IngestionEndpoint=http://127.0.0.1:4000")).is_ok());
    }

    #[test]
    fn an_identity_is_named_by_its_client_or_not_at_all() {
        assert_eq!(sign_in("Authorization=AAD"), Some(SignIn { client_id: None }));
        let named = format!("ClientId={KEY};Authorization=aad");
        assert_eq!(sign_in(&named), Some(SignIn { client_id: Some(KEY.to_owned()) }));
        for odd in ["AAD", "Authorization=key", "ClientId=me;Authorization=AAD", ""] {
            assert_eq!(sign_in(odd), None, "{odd}");
        }
    }
}
