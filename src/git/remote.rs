//! Where to fetch from: an address without its secret, the secret beside it, and what is allowed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::GitError;
use super::address::is_allowed;

/// What a remote may be. Both are off in production, and on where a developer's own server is the remote.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RemotePolicy {
    /// Accept `http://`, which shows the credential to everybody on the way.
    pub allow_http: bool,
    /// Accept loopback and private addresses.
    pub allow_private: bool,
}

/// A git repository reached by HTTP. Shows itself without its credential, in `Display` and `Debug` alike.
#[derive(Clone)]
pub struct Remote {
    url: Url,
    authorization: Option<String>,
    policy: RemotePolicy,
}

impl Remote {
    /// Reads `https://[user[:password]@]host[:port]/path`; the user part becomes the credential.
    pub fn parse(text: &str, policy: &RemotePolicy) -> Result<Self, GitError> {
        let bad = |reason: &str| GitError::BadRemote(reason.to_owned());
        let mut url = Url::parse(text.trim()).map_err(|e| bad(&format!("it is no URL ({e})")))?;
        match url.scheme() {
            "https" => {}
            "http" if policy.allow_http => {}
            "http" => return Err(bad("it must begin with https://")),
            _ => return Err(bad("it must begin with https://; other protocols are not supported")),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("it must have neither a query nor a fragment"));
        }
        match url.host() {
            Some(Host::Ipv4(v4)) => refuse(&url, IpAddr::V4(v4), policy)?,
            Some(Host::Ipv6(v6)) => refuse(&url, IpAddr::V6(v6), policy)?,
            Some(Host::Domain(_)) => {}
            None => return Err(bad("it has no host")),
        }
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let (user, password) = (decoded(url.username()), url.password().map(decoded));
        let authorization =
            (!user.is_empty() || password.is_some()).then(|| basic(&user, &password.unwrap_or_default()));
        // Neither fails for a URL that has a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        Ok(Self { url, authorization, policy: *policy })
    }

    /// The same remote with an access token, unless the URL brought a credential of its own.
    pub fn with_token(mut self, token: &str) -> Self {
        // GitHub wants a token as the password of any user, GitLab, Azure DevOps and Bitbucket accept it so.
        self.authorization.get_or_insert_with(|| basic("x-access-token", token));
        self
    }

    /// The address without its credential.
    pub fn url(&self) -> &Url {
        &self.url
    }

    pub(super) fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// Looks the host up and checks every address it has. The connection goes to these addresses and to no others,
    /// so that a name that resolves anew to something else gains nothing.
    pub(super) async fn addresses(&self) -> Result<Vec<SocketAddr>, GitError> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or(443);
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let found: Vec<_> =
            tokio::net::lookup_host((name, port)).await.map_err(|e| GitError::unreachable(&e))?.collect();
        for address in &found {
            refuse(&self.url, address.ip(), &self.policy)?;
        }
        Ok(found)
    }
}

fn refuse(url: &Url, address: IpAddr, policy: &RemotePolicy) -> Result<(), GitError> {
    if is_allowed(address, policy.allow_private) {
        return Ok(());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    Err(GitError::AddressRefused { host, address: address.to_string() })
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.as_str())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("url", &self.url.as_str())
            .field("has_credential", &self.authorization.is_some())
            .field("policy", &self.policy)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCTION: RemotePolicy = RemotePolicy { allow_http: false, allow_private: false };
    const DEVELOPMENT: RemotePolicy = RemotePolicy { allow_http: true, allow_private: true };
    const PLANTED: &str = "pl4nted-s3cret";

    #[test]
    fn a_credential_in_the_url_is_used_and_never_shown() {
        let remote = Remote::parse(&format!("https://user:{PLANTED}%2F@git.example/a/b.git"), &PRODUCTION).unwrap();
        assert_eq!(remote.to_string(), "https://git.example/a/b.git");
        assert!(!format!("{remote:?} {remote}").contains(PLANTED));
        assert_eq!(remote.authorization(), Some(basic("user", &format!("{PLANTED}/")).as_str()));
        let token_only = Remote::parse(&format!("https://{PLANTED}@git.example/a.git"), &PRODUCTION).unwrap();
        assert_eq!(token_only.authorization(), Some(basic(PLANTED, "").as_str()));
    }

    #[test]
    fn the_urls_own_credential_wins_over_the_token() {
        let plain = Remote::parse("https://git.example/a.git", &PRODUCTION).unwrap();
        assert_eq!(plain.authorization(), None);
        assert_eq!(plain.with_token(PLANTED).authorization(), Some(basic("x-access-token", PLANTED).as_str()));
        let own = Remote::parse("https://u:p@git.example/a.git", &PRODUCTION).unwrap();
        assert_eq!(own.with_token(PLANTED).authorization(), Some(basic("u", "p").as_str()));
    }

    #[test]
    fn other_protocols_are_refused_without_showing_what_was_given() {
        for text in [
            &format!("ssh://git:{PLANTED}@git.example/a.git"),
            &format!("git://{PLANTED}@git.example/a.git"),
            "file:///etc",
            "/srv/repo.git",
            "git@git.example:a.git",
            "ext::sh -c id",
            "http://git.example/a.git",
            &format!("https://git.example/a.git?token={PLANTED}"),
            "https://git.example/a.git#main",
            "https://",
            "",
        ] {
            let error = Remote::parse(text, &PRODUCTION).unwrap_err();
            assert!(matches!(error, GitError::BadRemote(_)), "{text}: {error:?}");
            assert!(!format!("{error} {error:?}").contains(PLANTED), "{error:?}");
        }
    }

    #[test]
    fn a_literal_address_is_judged_in_every_spelling() {
        for text in [
            "https://127.0.0.1/a.git",
            "https://2130706433/a.git",
            "https://0x7f.1/a.git",
            "https://[::1]/a.git",
            "https://[::ffff:10.0.0.1]/a.git",
            "https://169.254.169.254/a.git",
        ] {
            let error = Remote::parse(text, &PRODUCTION).unwrap_err();
            assert!(matches!(error, GitError::AddressRefused { .. }), "{text}: {error:?}");
        }
        assert!(Remote::parse("http://127.0.0.1:8080/a.git", &DEVELOPMENT).is_ok());
        assert!(Remote::parse("http://169.254.169.254/a.git", &DEVELOPMENT).is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_a_refused_address_is_refused() {
        let remote = Remote::parse("https://localhost/a.git", &PRODUCTION).unwrap();
        assert!(matches!(remote.addresses().await, Err(GitError::AddressRefused { .. })));
        let remote = Remote::parse("https://localhost/a.git", &DEVELOPMENT).unwrap();
        assert!(remote.addresses().await.is_ok_and(|found| !found.is_empty()));
    }
}
