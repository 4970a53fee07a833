//! Microsoft's storage emulator as a child of the test process, on ports of its own.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Ends the emulator when the test process is gone, however it went: its end of the pipe closes.
const LEASH: &str = "process.stdin.on('end', () => process.exit(0)).resume(); require(process.argv[1])";
const INSTALL: &str = "npm install --prefix target/tools azurite@3.37.0";
/// The account and key that the emulator's documentation prints.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Accounts beside that one, for tests whose queues must not meet.
const ACCOUNTS: usize = 16;

pub struct Azurite {
    blob: String,
    queue: String,
    table: String,
    /// Whose the further accounts are.
    owners: Mutex<Vec<PathBuf>>,
    /// Holds the leash.
    _child: Child,
}

impl Azurite {
    /// The one emulator of this test process, started by the first test that asks for it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Azurite> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn connection_string(&self) -> String {
        self.account(ACCOUNT)
    }

    /// An account that nobody else has; always the same one for the same owner.
    pub fn account_of(&self, owner: &Path) -> String {
        let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
        let index = owners.iter().position(|known| known == owner).unwrap_or_else(|| {
            owners.push(owner.to_owned());
            owners.len() - 1
        });
        assert!(index < ACCOUNTS, "more than {ACCOUNTS} tests want an account of their own; raise ACCOUNTS");
        self.account(&format!("account{index}"))
    }

    fn account(&self, name: &str) -> String {
        let Self { blob, queue, table, .. } = self;
        format!(
            "AccountName={name};AccountKey={KEY};BlobEndpoint={blob}/{name};QueueEndpoint={queue}/{name};\
             TableEndpoint={table}/{name}"
        )
    }

    fn start() -> Self {
        let script = script();
        let accounts = (0..ACCOUNTS).map(|index| format!("account{index}:{KEY};")).collect::<String>();
        let mut child = Command::new("node")
            .args(["-e", LEASH])
            .arg(&script)
            .args(["--silent", "--disableTelemetry", "--inMemoryPersistence"])
            .args(["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"])
            .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY};{accounts}"))
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start node, which runs the storage emulator Azurite: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut endpoint = |service: &str| {
            let announced = format!("Azurite {service} service is successfully listening at ");
            let address = lines.find_map(|line| line.strip_prefix(&announced).map(str::to_owned));
            address.unwrap_or_else(|| panic!("{} did not start its {service} service", script.display()))
        };
        let (blob, queue, table) = (endpoint("Blob"), endpoint("Queue"), endpoint("Table"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { blob, queue, table, owners: Mutex::default(), _child: child }
    }
}

/// `WINDLASS_AZURITE`, or what the install command puts into `target/tools`.
fn script() -> PathBuf {
    let installed =
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/tools/node_modules/azurite/dist/src/azurite.js");
    let script = std::env::var_os("WINDLASS_AZURITE").map_or_else(installed, PathBuf::from);
    assert!(
        script.is_file(),
        "the storage emulator Azurite is not at {}; install it with `{INSTALL}`, or name its azurite.js in WINDLASS_AZURITE",
        script.display()
    );
    script
}
