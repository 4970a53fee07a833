//! Invokes functions: the request to the handler, the bound on its time, the outputs.

use std::sync::Arc;
use std::time::Duration;

use super::answer::{self, Answer};
use super::endpoint::{Endpoint, Framing};
use super::envelope::{self, encode};
use super::functions::Function;
use super::handler::Handler;
use super::queues::QueueSource;
use super::settings::Encoding;
use super::voice::Voice;

/// The version of the host whose protocol was measured.
pub const VERSION: &str = "4.1037.0.0";
/// What the host calls itself in a request's User-Agent.
pub const AGENT: &str = "Azure-Functions-Host/4.1037.0.0";

/// Between the end of a function's time and the handler's.
const MERCY: Duration = Duration::from_secs(2);

pub struct Invoker {
    pub handler: Handler,
    pub queues: Arc<dyn QueueSource>,
    pub encoding: Encoding,
    /// None for no bound.
    pub timeout: Option<Duration>,
    pub voice: Voice,
}

impl Invoker {
    /// One invocation: `body` is its envelope. The error says why it failed.
    pub async fn invoke(&self, function: &Function, body: &[u8]) -> Result<Answer, String> {
        let endpoint = self.handler.ready().await.ok_or("cannot be invoked: the handler is gone")?;
        let mut request = head(&function.name, &endpoint.authority);
        Framing::Chunked.append(&mut request, Some(body));
        Framing::Chunked.append(&mut request, None);
        let call = endpoint.call(b"POST", &mut request, None);
        let reply = self
            .bounded(function, &endpoint, call)
            .await
            .ok_or("ran out of time")?
            .map_err(|error| format!("got no answer: {error}"))?;
        let answer = answer::read(function, &reply)?;
        for line in &answer.logs {
            self.voice.say(&format!("function '{}': {line}", function.name));
        }
        for remark in &answer.remarks {
            self.voice.complain(&format!("function '{}' {remark}", function.name));
        }
        for (queue, text) in &answer.messages {
            let stored = encode(text, self.encoding);
            self.queues
                .put(queue, &stored)
                .await
                .map_err(|error| format!("has an output that queue '{queue}' refused: {error}"))?;
        }
        Ok(answer)
    }

    /// Awaits what the handler does for a function, within functionTimeout. Past it the handler is killed.
    pub async fn bounded<T>(
        &self,
        function: &Function,
        endpoint: &Arc<Endpoint>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let Some(limit) = self.timeout else { return Some(work.await) };
        if let Ok(done) = tokio::time::timeout(limit, work).await {
            return Some(done);
        }
        self.voice.complain(&format!(
            "function '{}' took longer than functionTimeout ({limit:?}): the handler is killed in {MERCY:?}, and every other \
             invocation in it with it. End the work earlier, or raise functionTimeout in host.json",
            function.name
        ));
        self.handler.kill(Arc::clone(endpoint), MERCY).await;
        None
    }
}

/// The head of an invocation, in the captured order.
fn head(function: &str, authority: &str) -> Vec<u8> {
    let id = envelope::invocation_id();
    format!(
        "POST /{function} HTTP/1.1\r\nHost: {authority}\r\nX-Azure-Functions-HostVersion: {VERSION}\r\n\
         X-Azure-Functions-InvocationId: {id}\r\nUser-Agent: {AGENT}\r\nTransfer-Encoding: chunked\r\n\
         Content-Type: application/json; charset=utf-8\r\n\r\n"
    )
    .into_bytes()
}
