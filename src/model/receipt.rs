//! What a run has cost so far.

use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// Operations as the storage account bills them: a transaction is one, whatever it holds, and a try that is repeated is
/// one more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Deliveries that claimed the run. One that found nothing to do has written nothing, so it is not here.
    pub executions: u64,
    pub table_operations: u64,
    pub queue_operations: u64,
    pub blob_operations: u64,
    /// Bytes appended to logs.
    pub log_bytes: u64,
}

/// US dollars for an operation on queues of a general-purpose v2 account with locally redundant storage: list price,
/// 0.004 for 10,000 of any class.
pub const USD_PER_QUEUE_OPERATION: f64 = 0.004 / 10_000.0;
/// The same for tables: 0.00036 for 10,000.
pub const USD_PER_TABLE_OPERATION: f64 = 0.00036 / 10_000.0;
/// The same for blobs of the hot tier: 0.055 for 10,000 writes. A read costs a twelfth of that, but logs are only read
/// by a worker that takes over from another, so all are priced as writes.
pub const USD_PER_BLOB_OPERATION: f64 = 0.055 / 10_000.0;
/// US dollars for an execution on the dearer of the plans that scale to zero: list price, 0.40 for a million.
pub const USD_PER_EXECUTION: f64 = 0.40 / 1_000_000.0;

impl Receipt {
    /// An estimate of storage operations and executions at list prices, in US dollars.
    ///
    /// It leaves out the seconds of memory that executions are billed by as well, the space that rows and logs take, the
    /// sweep's and dashboards' looks at the run, empty polls of queues, values that outgrow their row and become blobs,
    /// requests that the client of the storage repeats by itself, and everything that phases do outside of the
    /// storage.
    pub fn cost_usd(&self) -> f64 {
        // A count beyond 2^53 is none that a run comes to.
        self.executions as f64 * USD_PER_EXECUTION
            + self.table_operations as f64 * USD_PER_TABLE_OPERATION
            + self.queue_operations as f64 * USD_PER_QUEUE_OPERATION
            + self.blob_operations as f64 * USD_PER_BLOB_OPERATION
    }

    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            executions: each(self.executions, other.executions),
            table_operations: each(self.table_operations, other.table_operations),
            queue_operations: each(self.queue_operations, other.queue_operations),
            blob_operations: each(self.blob_operations, other.blob_operations),
            log_bytes: each(self.log_bytes, other.log_bytes),
        }
    }
}

impl Add for Receipt {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        self.with(other, u64::saturating_add)
    }
}

impl Sub for Receipt {
    type Output = Self;

    /// What came to it since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        self.with(earlier, u64::saturating_sub)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_of_each_costs_what_the_price_list_says() {
        let million = 1_000_000;
        let cost = |receipt: Receipt| (receipt.cost_usd() * 1000.0).round() / 1000.0;
        assert_eq!(cost(Receipt { executions: million, ..Receipt::default() }), 0.4);
        assert_eq!(cost(Receipt { table_operations: million, ..Receipt::default() }), 0.036);
        assert_eq!(cost(Receipt { queue_operations: million, ..Receipt::default() }), 0.4);
        assert_eq!(cost(Receipt { blob_operations: million, ..Receipt::default() }), 5.5);
    }

    #[test]
    fn a_receipt_of_another_time_reads_as_far_as_it_goes() {
        let read: Receipt = serde_json::from_str(r#"{"executions": 3}"#).unwrap();
        assert_eq!(read, Receipt { executions: 3, ..Receipt::default() });
    }
}
