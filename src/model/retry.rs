//! How often and how soon a phase is tried again.

use std::time::Duration;

/// Exponential back-off: `initial * coefficient^(n-1)`, never above `maximum`, at most `attempts` tries in all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct RetryPolicy {
    pub initial: Duration,
    pub coefficient: f64,
    pub maximum: Duration,
    pub attempts: u32,
}

impl RetryPolicy {
    pub const DEFAULT: Self =
        Self { initial: Duration::from_secs(2), coefficient: 2.0, maximum: Duration::from_secs(60), attempts: 6 };

    /// The pause after the failed `attempt` (from 1), or `None` when it was the last one.
    /// A pause that the other side asked for wins over the policy's own when it is longer.
    pub fn pause_after(&self, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let factor = self.coefficient.powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
        let own = self.initial.as_secs_f64() * factor;
        let own = Duration::from_secs_f64(own.min(self.maximum.as_secs_f64()).max(0.0));
        Some(asked.map_or(own, |asked| asked.max(own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_maximum_and_end_with_the_attempts() {
        let policy = RetryPolicy { attempts: 8, ..RetryPolicy::DEFAULT };
        let secs: Vec<_> = (1..=8).map(|n| policy.pause_after(n, None).map(|p| p.as_secs())).collect();
        assert_eq!(secs, [Some(2), Some(4), Some(8), Some(16), Some(32), Some(60), Some(60), None]);
    }

    #[test]
    fn a_longer_retry_after_wins() {
        let asked = Some(Duration::from_secs(17));
        assert_eq!(RetryPolicy::DEFAULT.pause_after(1, asked), asked);
        assert_eq!(RetryPolicy::DEFAULT.pause_after(1, Some(Duration::ZERO)), Some(Duration::from_secs(2)));
    }
}
