//! The place of a piece of work in a trace, as the W3C's Trace Context writes it: `00-<trace>-<span>-<flags>`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::RunId;

/// A trace and the span in it that work belongs below.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Traceparent {
    trace: u128,
    span: u64,
}

impl Traceparent {
    /// Neither may be nothing: to everybody else zeros are no id.
    pub fn new(trace: u128, span: u64) -> Self {
        Self { trace: trace.max(1), span: span.max(1) }
    }

    /// The place of a run that nobody has given one: the same for whoever asks.
    pub fn of_run(id: &RunId) -> Self {
        let digest = Sha256::digest(id.to_string().as_bytes());
        let mut bytes = digest.iter();
        let trace = bytes.by_ref().take(16).fold(0, |sum, byte| (sum << 8) | u128::from(*byte));
        let span = bytes.take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Self::new(trace, span)
    }

    /// Another span of the same trace.
    pub fn with_span(self, span: u64) -> Self {
        Self::new(self.trace, span)
    }

    pub fn trace(self) -> u128 {
        self.trace
    }

    pub fn span(self) -> u64 {
        self.span
    }
}

/// It is always said to be recorded: whoever asks for a run wants to see it.
impl fmt::Display for Traceparent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

/// The text is no traceparent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Malformed;

impl FromStr for Traceparent {
    type Err = Malformed;

    /// Fields that a later version appends are passed over, as its specification asks for.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut fields = text.split('-');
        let mut field = |digits: usize| {
            let field = fields.next().filter(|field| field.len() == digits)?;
            field.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)).then_some(field)
        };
        let (version, trace, span, flags) = (field(2), field(32), field(16), field(2));
        let (Some(version), Some(trace), Some(span), Some(_)) = (version, trace, span, flags) else {
            return Err(Malformed);
        };
        let known = version != "ff" && (version != "00" || fields.next().is_none());
        let trace = u128::from_str_radix(trace, 16).map_err(|_| Malformed)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| Malformed)?;
        if known && trace != 0 && span != 0 { Ok(Self { trace, span }) } else { Err(Malformed) }
    }
}

impl Serialize for Traceparent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// For a row's field: what cannot be read there is as good as nothing, because no run may be lost for its trace.
pub fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Traceparent>, D::Error> {
    let found = serde_json::Value::deserialize(deserializer)?;
    Ok(found.as_str().and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_is_read_and_written_as_it_was() {
        let read: Traceparent = TEXT.parse().unwrap();
        assert_eq!(read.to_string(), TEXT);
        assert_eq!((read.trace(), read.span()), (0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c, 0xb7ad_6b71_6920_3331));
        let unsampled: Traceparent = TEXT.replace("-01", "-00").parse().unwrap();
        assert_eq!(unsampled, read);
    }

    #[test]
    fn a_later_version_may_say_more_and_this_one_may_not() {
        let later = TEXT.replacen("00", "cc", 1) + "-what-comes";
        assert_eq!(later.parse::<Traceparent>(), TEXT.parse());
        assert_eq!((TEXT.to_owned() + "-more").parse::<Traceparent>(), Err(Malformed));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let short = TEXT.trim_end_matches("-01").to_owned();
        let zero_trace = TEXT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        let zero_span = TEXT.replace("b7ad6b7169203331", &"0".repeat(16));
        let invalid = TEXT.replacen("00", "ff", 1);
        for text in ["", "-", &short, &zero_trace, &zero_span, &invalid, &TEXT.to_uppercase(), &TEXT.replace('7', "g")]
        {
            assert_eq!(text.parse::<Traceparent>(), Err(Malformed), "{text}");
        }
        assert!(Traceparent::new(0, 0).to_string().parse::<Traceparent>().is_ok());
    }
}
