//! What the service leaves out, it leaves out in many ways: absent, null, or empty.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::model::{Timestamp, redact};

/// Null is as good as absent.
pub(in crate::azure) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A text that is there and says something.
pub(in crate::azure) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text: Option<String> = Option::deserialize(from)?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// What a container said may hold anything.
pub(in crate::azure) fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(text(from)?.map(|text| redact(&text)))
}

/// A number that cannot be read is no number.
pub(in crate::azure) fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    Ok(Value::deserialize(from)?.as_u64().and_then(|number| u32::try_from(number).ok()))
}

/// A time that cannot be read is no time.
pub(in crate::azure) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Value::deserialize(from)?.as_str().and_then(Timestamp::parse))
}
