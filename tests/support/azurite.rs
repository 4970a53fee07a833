//! Microsoft's storage emulator as a child of the test process, on ports of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Ends the emulator when the test process is gone, however it went: its end of the pipe closes.
const LEASH: &str = "process.stdin.on('end', () => process.exit(0)).resume(); require(process.argv[1])";
const INSTALL: &str = "npm install --prefix target/tools azurite@3.37.0";
/// The account and key that the emulator's documentation prints.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

pub struct Azurite {
    blob: String,
    queue: String,
    table: String,
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
        format!(
            "AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};QueueEndpoint={};TableEndpoint={}",
            self.blob, self.queue, self.table
        )
    }

    fn start() -> Self {
        let script = script();
        let mut child = Command::new("node")
            .args(["-e", LEASH])
            .arg(&script)
            .args(["--silent", "--disableTelemetry", "--inMemoryPersistence"])
            .args(["--blobPort", "0", "--queuePort", "0", "--tablePort", "0"])
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start node, which runs the storage emulator Azurite: {error}"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut endpoint = |service: &str| {
            let announced = format!("Azurite {service} service is successfully listening at ");
            let address = lines.find_map(|line| line.strip_prefix(&announced).map(str::to_owned));
            let address = address.unwrap_or_else(|| panic!("{} did not start its {service} service", script.display()));
            format!("{address}/{ACCOUNT}")
        };
        let (blob, queue, table) = (endpoint("Blob"), endpoint("Queue"), endpoint("Table"));
        std::thread::spawn(move || lines.for_each(drop));
        Self { blob, queue, table, _child: child }
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
