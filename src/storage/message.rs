//! What a queue hands out.

use crate::model::Timestamp;

/// A message as a receiver or a looker sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    pub id: String,
    /// Allows its holder to renew or delete the message until somebody else receives it. Empty for a message that was
    /// only looked at.
    pub pop_receipt: String,
    /// Times the message was received, this one included.
    pub dequeue_count: u32,
    pub inserted_at: Timestamp,
    pub expires_at: Timestamp,
    /// When the message shows again unless it is deleted. For a message that was only looked at: `inserted_at`.
    pub next_visible_at: Timestamp,
    pub text: String,
}
