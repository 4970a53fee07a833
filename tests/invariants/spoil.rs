//! Rows changed past the engine, as another version does or as damage leaves them.

use serde_json::{Value, json};
use windlass::engine::ports::{Record, StoreError, Stored, Version};
use windlass::model::Run;

use crate::support::world::World;

pub fn row(world: &World, run: &Run, key: &str) -> Stored {
    let place = (run.id.tag().to_string(), key.to_owned());
    world.tables.lock().expect("never poisoned").rows.get(&place).expect("a row").clone()
}

pub fn run_key(run: &Run) -> String {
    format!("run:{}", run.id.name())
}

/// Changes a row past the engine, as another version does.
pub fn rewrite(world: &World, run: &Run, key: &str, change: impl FnOnce(&mut Stored)) -> Stored {
    let mut tables = world.tables.lock().expect("never poisoned");
    let version = Version(tables.fresh().to_string());
    let row = tables.rows.get_mut(&(run.id.tag().to_string(), key.to_owned())).expect("a row");
    row.version = version;
    change(row);
    row.clone()
}

pub fn set(record: &mut Record, field: &str, value: Value) {
    record.insert(field.to_owned(), value);
}

/// The ways in which a row may be nothing that this version can read.
pub const SPOILED: [fn(&mut Stored); 6] = [
    |row| set(&mut row.record, "schema", json!(2)),
    |row| row.record = Record::from_iter([("schema".to_owned(), json!(7)), ("all".to_owned(), json!("else"))]),
    |row| drop(row.record.remove("schema")),
    |row| drop(row.record.remove("seq")),
    |row| set(&mut row.record, "progress", json!({"kind": "dreaming"})),
    |row| row.flaw = Some("the column 'state__json' holds nothing that this program wrote".into()),
];

pub fn is_unreadable(error: &StoreError, key: &str) -> bool {
    matches!(error, StoreError::Unreadable(row) if row.key.ends_with(key))
}
