//! The HTTP that gix speaks git through.
//!
//! gix brings an HTTP client of its own; this one stands in its place because here every request goes to checked
//! addresses, no redirect leaves the host, every byte is counted while it arrives, and a wait ends when it should.

mod exchange;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use tokio::runtime::Handle;
use tracing::Instrument;
use tracing::field::Empty;
use url::Url;

use super::blocking::Stop;
use super::{GitError, Remote};

const MAX_REDIRECTS: usize = 3;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// What one conversation with a remote may cost.
#[derive(Clone, Copy)]
pub(super) struct Allowance {
    pub(super) max_bytes: u64,
    /// The longest silence before and between bytes.
    pub(super) max_idle: Duration,
}

/// One conversation with one remote.
#[derive(Clone)]
pub(super) struct Wire {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    runtime: Handle,
    remote: Remote,
    allowance: Allowance,
    stop: Stop,
    received: Mutex<u64>,
    /// gix wraps and shortens what went wrong here, so it is remembered for the one who called gix.
    verdict: Mutex<Option<GitError>>,
    redirected_base: Mutex<Option<String>>,
    /// How the last answer began.
    opening: Mutex<Vec<u8>>,
}

/// Bytes of an answer that are remembered. What a remote says in place of a pack is shorter.
const OPENING: usize = 512;

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Wire {
    /// `addresses` are the checked addresses of the remote's host. Must be called within a runtime, and used on a
    /// thread that may block.
    pub(super) fn new(
        remote: &Remote,
        addresses: &[SocketAddr],
        allowance: Allowance,
        stop: &Stop,
    ) -> Result<Self, GitError> {
        let host = remote.url().host_str().unwrap_or_default();
        let client = Client::builder()
            .resolve_to_addrs(host, addresses)
            // A proxy would resolve and connect on its own, past the checked addresses.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(allowance.max_idle))
            .build()
            .map_err(|e| GitError::unreachable(&e.without_url()))?;
        let shared = Shared {
            client,
            runtime: Handle::current(),
            remote: remote.clone(),
            allowance,
            stop: stop.clone(),
            received: Mutex::default(),
            verdict: Mutex::default(),
            redirected_base: Mutex::default(),
            opening: Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What went wrong on the wire, if anything did.
    pub(super) fn verdict(&self) -> Option<GitError> {
        lock(&self.shared.verdict).take()
    }

    /// What the remote said in place of its last answer, if it did. gix does not always tell.
    pub(super) fn refusal(&self) -> Option<String> {
        let opening = lock(&self.shared.opening);
        // A packet is its length in four hex digits, and its content.
        let (length, rest) = opening.split_at_checked(4)?;
        let length = usize::from_str_radix(std::str::from_utf8(length).ok()?, 16).ok()?;
        let content = rest.get(..length.saturating_sub(4).min(rest.len()))?;
        Some(String::from_utf8_lossy(content.strip_prefix(b"ERR ")?).into_owned())
    }
}

impl Shared {
    /// Remembers the first thing that went wrong and gives gix something to stop with.
    fn fail(&self, error: GitError) -> io::Error {
        let text = error.to_string();
        lock(&self.verdict).get_or_insert(error);
        io::Error::other(text)
    }

    /// Waits for `step`, as long as neither the silence grows too long nor the work is told to stop.
    fn wait<T>(&self, step: impl Future<Output = Result<T, reqwest::Error>>) -> io::Result<T> {
        let idle = self.allowance.max_idle;
        let outcome = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.stop.wait() => None,
                result = tokio::time::timeout(idle, step) => Some(result),
            }
        });
        match outcome {
            Some(Ok(Ok(value))) => Ok(value),
            Some(Ok(Err(error))) => Err(self.fail(GitError::unreachable(&error.without_url()))),
            Some(Err(_)) => Err(self.fail(GitError::TimedOut(idle))),
            // Not `Interrupted`, after which readers try again.
            None => Err(io::Error::other("stopped")),
        }
    }

    fn send(&self, method: Method, url: Url, headers: HeaderMap, body: Option<Bytes>) -> io::Result<reqwest::Response> {
        let server = url.host_str().unwrap_or_default();
        let span = tracing::info_span!("call", %method, server, status = Empty, error = Empty);
        let mut request = self.client.request(method, url).headers(headers);
        if let Some(authorization) = self.remote.authorization()
            && let Ok(mut value) = HeaderValue::from_str(authorization)
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = self.wait(request.send().instrument(span.clone()));
        match &answer {
            Ok(answer) => span.record("status", answer.status().as_u16()),
            Err(error) => span.record("error", tracing::field::display(error)),
        };
        answer
    }

    /// A GET that may be redirected within its origin, as happens when a repository is renamed.
    fn get(&self, url: &str, base: &str, headers: HeaderMap) -> io::Result<reqwest::Response> {
        let mut at = self.own(url)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.send(Method::GET, at.clone(), headers.clone(), None)?;
            if !response.status().is_redirection() {
                if at.as_str() != url {
                    let tail = url.strip_prefix(base).unwrap_or(url);
                    let Some(new_base) = at.as_str().strip_suffix(tail) else {
                        let reason = "it redirects to a page that is no repository".to_owned();
                        return Err(self.fail(GitError::NotAGitRemote(reason)));
                    };
                    *lock(&self.redirected_base) = Some(new_base.to_owned());
                }
                return self.accept(response);
            }
            at = self.next_hop(&at, &response)?;
        }
        Err(self.fail(GitError::NotAGitRemote("it redirects in a circle".to_owned())))
    }

    fn next_hop(&self, at: &Url, response: &reqwest::Response) -> io::Result<Url> {
        let target = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let Some(target) = target.and_then(|target| at.join(target).ok()) else {
            return Err(self.fail(GitError::NotAGitRemote("it redirects to nowhere".to_owned())));
        };
        if target.origin() != self.remote.url().origin() {
            let shown = target.host_str().unwrap_or("another protocol").to_owned();
            return Err(self.fail(GitError::RedirectRefused(shown)));
        }
        Ok(target)
    }

    fn own(&self, url: &str) -> io::Result<Url> {
        let parsed = Url::parse(url).ok().filter(|url| url.origin() == self.remote.url().origin());
        parsed.ok_or_else(|| self.fail(GitError::BadRemote("it leads away from its own host".to_owned())))
    }

    fn accept(&self, response: reqwest::Response) -> io::Result<reqwest::Response> {
        let status = response.status();
        let error = match status {
            _ if status.is_success() => return Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                GitError::AuthenticationRequired
            }
            _ if status.is_redirection() => GitError::RedirectRefused("another place in mid-conversation".to_owned()),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => unavailable(&response),
            _ if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => unavailable(&response),
            _ => GitError::NotAGitRemote(format!("it answered with HTTP status {}", status.as_u16())),
        };
        Err(self.fail(error))
    }

    fn arrive(&self, chunk: &[u8]) -> io::Result<()> {
        let mut opening = lock(&self.opening);
        let wanted = OPENING.saturating_sub(opening.len());
        opening.extend(chunk.iter().take(wanted));
        let mut received = lock(&self.received);
        *received = received.saturating_add(chunk.len() as u64);
        if *received > self.allowance.max_bytes {
            return Err(self.fail(GitError::TooLarge { limit: self.allowance.max_bytes }));
        }
        Ok(())
    }
}

fn unavailable(response: &reqwest::Response) -> GitError {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    GitError::Unreachable {
        reason: format!("it answered with HTTP status {}", response.status().as_u16()),
        after: seconds.map(Duration::from_secs),
    }
}
