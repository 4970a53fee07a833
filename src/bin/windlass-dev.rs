//! What a developer runs: everything local, packaging, generated files, a simulated Azure.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};
use windlass::dev::azure::SimOptions;
use windlass::dev::host::HttpMode;
use windlass::dev::up::{Azure, UpOptions};
use windlass::dev::{azure, bench, collector, functions, infra, package, settings_check, up, workbook};

#[derive(Parser)]
#[command(version, about = "Windlass on a developer's machine")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything locally: Functions host, handler, storage, Azure
    Up(Up),
    /// Stage the folder that a Functions host runs; with --zip make the zip that Azure is given
    Package(Package),
    /// The functions that host.json and functions/ describe
    Functions {
        /// Fail if a file differs from what the pipelines and routes ask for
        #[arg(long, conflicts_with = "write", required_unless_present = "write")]
        check: bool,
        /// Write the files
        #[arg(long)]
        write: bool,
    },
    /// The infrastructure that infra/ describes in Bicep
    Infra {
        /// Fail if it is not whole in itself, or not what the code needs; print what was looked at
        #[arg(long, conflicts_with = "write", required_unless_present = "write")]
        check: bool,
        /// Write what is generated in it: the README's table of parameters
        #[arg(long)]
        write: bool,
    },
    /// The Azure Monitor workbook that the queries in infra/queries/ make
    Workbook {
        /// Fail if infra/workbook.json differs from what the queries make of it
        #[arg(long, conflicts_with = "write", required_unless_present = "write")]
        check: bool,
        /// Write the file
        #[arg(long)]
        write: bool,
    },
    /// What the handler would say about its settings
    Settings {
        /// Print everything that is wrong or likely not meant; fail if the handler would not start
        #[arg(long, required = true)]
        check: bool,
        /// A local.settings.json, taken for a developer's unless it says otherwise; without it, this process's environment
        file: Option<PathBuf>,
    },
    /// Measure a handler; `tests/bench` builds what is needed and calls this
    Bench {
        /// The handler's program; the release build if none is given
        #[arg(long)]
        handler: Option<PathBuf>,
        /// A storage account's connection string, to measure on it too
        #[arg(long, env = "BENCH_STORAGE_ACCOUNT")]
        account: Option<String>,
    },
    /// Take telemetry on this machine, and show each run's trace as a tree once the run is over
    Collector {
        /// Port on 127.0.0.1; 0 takes any
        #[arg(long, default_value_t = 4318)]
        port: u16,
        /// Every span as a line of JSON, as it comes
        #[arg(long)]
        json: bool,
    },
    /// Run the simulated Azure alone and print the settings that point a handler at it
    Azure {
        /// Port on 127.0.0.1; 0 takes any
        #[arg(long, default_value_t = 7081)]
        port: u16,
        /// Milliseconds that a step of an image build takes
        #[arg(long, default_value_t = 400)]
        pace: u64,
    },
}

#[derive(clap::Args)]
struct Up {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 7071)]
    port: u16,
    /// Where everything is kept that this machine remembers
    #[arg(long, default_value = ".windlass")]
    data: PathBuf,
    /// `embedded`, or a storage account's connection string, `UseDevelopmentStorage=true` for Azurite
    #[arg(long, default_value = "embedded")]
    storage: String,
    /// Which Azure to call; simulated unless PLATFORM_SUBSCRIPTION_ID is set
    #[arg(long)]
    azure: Option<AzureArgument>,
    /// What the host does to requests
    #[arg(long, default_value = "forwarding")]
    http: HttpArgument,
    /// Make a sample repository, upgrade from it and show what happens
    #[arg(long)]
    demo: bool,
    /// A real Functions host to run in place of the local one, for example `func`
    #[arg(long)]
    host: Option<PathBuf>,
    /// The handler's program, where it must not be built
    #[arg(long)]
    handler: Option<PathBuf>,
    /// Milliseconds that a step of a simulated image build takes
    #[arg(long, default_value_t = 400)]
    pace: u64,
}

#[derive(clap::Args)]
struct Package {
    /// The handler's program; the release build if none is given, and with --zip one that is built for the platform
    #[arg(long)]
    handler: Option<PathBuf>,
    /// The folder or zip to make; dist, or windlass.zip with --zip
    #[arg(long)]
    out: Option<PathBuf>,
    /// Build the handler for Azure and make a zip: the same bytes from the same commit
    #[arg(long)]
    zip: bool,
    /// Look into a zip instead, and tell everything that would keep it from running on Azure
    #[arg(long, value_name = "ZIP", conflicts_with_all = ["handler", "out", "zip"])]
    check: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum AzureArgument {
    Simulated,
    Real,
}

#[derive(Clone, Copy, ValueEnum)]
enum HttpArgument {
    /// As the measured host: collected and rebuilt
    Forwarding,
    /// As newer hosts: streamed
    Proxying,
}

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("windlass-dev: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Up(arguments) => {
            up::up(UpOptions {
                root: root()?,
                port: arguments.port,
                data: std::path::absolute(arguments.data).context("--data")?,
                storage: arguments.storage,
                azure: arguments.azure.map(|azure| match azure {
                    AzureArgument::Simulated => Azure::Simulated,
                    AzureArgument::Real => Azure::Real,
                }),
                http: match arguments.http {
                    HttpArgument::Forwarding => HttpMode::Forwarding,
                    HttpArgument::Proxying => HttpMode::Proxying,
                },
                demo: arguments.demo,
                host: arguments.host,
                handler: arguments.handler,
                pace: Duration::from_millis(arguments.pace),
            })
            .await
        }
        Command::Package(arguments) => package(root()?, arguments),
        Command::Functions { write: true, .. } => functions::write(&root()?).context("the functions cannot be written"),
        Command::Functions { .. } => functions::check(&root()?)
            .map_err(|differences| anyhow::anyhow!("{}\nrun `windlass-dev functions --write`", differences.join("\n"))),
        Command::Infra { write: true, .. } => infra::write(&root()?),
        Command::Infra { .. } => {
            let report = infra::check(&root()?).map_err(|faults| {
                anyhow::anyhow!(faults.join(
                    "
"
                ))
            })?;
            print!("{report}");
            Ok(())
        }
        Command::Workbook { write: true, .. } => workbook::write(&root()?),
        Command::Workbook { .. } => workbook::check(&root()?),
        Command::Settings { file, .. } => check_settings(file.as_deref()),
        Command::Bench { handler, account } => {
            let handler = handler.map_or_else(|| root().map(|root| root.join("target/release/windlass")), Ok)?;
            bench::bench(&handler, account.as_deref()).await
        }
        Command::Collector { port, json } => collector::show(port, json).await,
        Command::Azure { port, pace } => {
            let options = SimOptions { port, pace: Duration::from_millis(pace), ..SimOptions::default() };
            let azure = azure::start(options).await.context("the simulated Azure cannot begin")?;
            for (name, value) in azure.settings() {
                println!("{name}={value}");
            }
            tokio::signal::ctrl_c().await.context("no signals")
        }
    }
}

fn package(root: PathBuf, Package { handler, out, zip, check }: Package) -> anyhow::Result<()> {
    if let Some(zip) = check {
        return package::check_file(&zip);
    }
    if zip {
        let out = out.unwrap_or_else(|| "windlass.zip".into());
        return package::make(&package::Make { root, handler, out });
    }
    let (handler, out) =
        (handler.unwrap_or_else(|| root.join("target/release/windlass")), out.unwrap_or_else(|| "dist".into()));
    package::stage(&root, &handler, &out)?;
    println!("staged {}; try it with: func start --script-root {}", out.display(), out.display());
    Ok(())
}

fn check_settings(file: Option<&Path>) -> anyhow::Result<()> {
    let verdict = settings_check::check(file)?;
    for fault in &verdict.faults {
        println!("wrong: {fault}");
    }
    for warning in &verdict.warnings {
        println!("warning: {warning}");
    }
    match verdict.faults.len() {
        0 => {
            println!("nothing to put right; warnings: {}", verdict.warnings.len());
            Ok(())
        }
        wrong => anyhow::bail!("the handler would not start; settings to put right: {wrong}"),
    }
}

/// The folder with host.json: this one or the nearest above it.
fn root() -> anyhow::Result<PathBuf> {
    let here = std::env::current_dir().context("no working directory")?;
    let found = here.ancestors().find(|folder| folder.join("host.json").is_file());
    found.map(PathBuf::from).context("there is no host.json here or above; run this in the repository")
}
