//! The measurements.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hyper::{Method, StatusCode};
use tokio::process::Command;

use super::Row;
use super::client::Client;
use super::local::{Local, Scratch};

const CONCURRENCY: usize = 32;

/// Runs `count` probes from the first start to the last completion, in runs a second.
pub async fn runs(local: &Local, count: usize) -> anyhow::Result<f64> {
    let begun = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let starters: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (address, next) = (local.address.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                let mut client = Client::connect(&address).await?;
                let mut started = Vec::new();
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    started.push(client.start().await?);
                }
                anyhow::Ok(started)
            })
        })
        .collect();
    let mut ids = Vec::new();
    for starter in starters {
        ids.extend(starter.await??);
    }
    let mut client = Client::connect(&local.address).await?;
    for id in ids.iter().rev() {
        while !client.completed(id).await? {
            tokio::time::sleep(local.look).await;
        }
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// The median of three rounds.
pub async fn throughput(local: &Local, count: usize) -> anyhow::Result<String> {
    let mut rounds = Vec::new();
    for _ in 0..3 {
        rounds.push(runs(local, count).await?);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(format!("{:.0} runs/s ({:.0} to {:.0})", rounds[1], rounds[0], rounds[2]))
}

/// From the call that starts a run to the first look that finds it completed, one run at a time.
pub async fn latency(local: &Local, count: usize) -> anyhow::Result<String> {
    let mut client = Client::connect(&local.address).await?;
    let mut took = Vec::new();
    for _ in 0..count {
        let begun = Instant::now();
        let id = client.start().await?;
        while !client.completed(&id).await? {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        took.push(begun.elapsed());
    }
    Ok(spread(took))
}

pub async fn reads(local: &Local, count: usize) -> anyhow::Result<String> {
    let mut client = Client::connect(&local.address).await?;
    let id = client.start().await?;
    while !client.completed(&id).await? {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let path = Arc::new(format!("/api/probe/{id}/status"));
    let begun = Instant::now();
    let readers: Vec<_> = (0..CONCURRENCY)
        .map(|_| {
            let (address, path) = (local.address.clone(), Arc::clone(&path));
            tokio::spawn(async move {
                let mut client = Client::connect(&address).await?;
                let mut took = Vec::with_capacity(count / CONCURRENCY);
                for _ in 0..count / CONCURRENCY {
                    let begun = Instant::now();
                    let (status, _) = client.call(Method::GET, &path, "").await?;
                    ensure!(status == StatusCode::OK, "a read was answered {status}");
                    took.push(begun.elapsed());
                }
                Ok(took)
            })
        })
        .collect();
    let mut took = Vec::new();
    for reader in readers {
        took.extend(reader.await??);
    }
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(format!("{rate:.0} reads/s, {}", spread(took)))
}

fn spread(mut took: Vec<Duration>) -> String {
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    format!("p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms", at(0.5), at(0.95), at(0.99))
}

/// Size on disk, time to the first answer, memory when idle.
pub async fn binary(handler: &Path) -> anyhow::Result<Vec<Row>> {
    let size = std::fs::metadata(handler).context("the handler is not built")?.len() as f64 / 1e6;
    let data = Scratch::make()?;
    let mut first_answers = Vec::new();
    let mut resident = 0.0;
    for _ in 0..10 {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let begun = Instant::now();
        let mut child = Command::new(handler)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("AZURE_FUNCTIONS_ENVIRONMENT", "Development")
            .env("WINDLASS_STORAGE", "embedded")
            .env("WINDLASS_DATA", &data.0)
            .env("WINDLASS_LOG", "warn")
            .kill_on_drop(true)
            .spawn()?;
        let address = format!("127.0.0.1:{port}");
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let (status, _) = Client::connect(&address).await?.call(Method::GET, "/", "").await?;
        ensure!(status == StatusCode::OK, "the handler's first answer was {status}");
        first_answers.push(begun.elapsed());
        tokio::time::sleep(Duration::from_millis(300)).await;
        resident = resident_megabytes(child.id().context("the handler ended")?);
        child.kill().await?;
    }
    Ok(vec![
        ("handler: size on disk".to_owned(), format!("{size:.1} MB"), "< 25 MB"),
        ("handler: start to the first answer".to_owned(), spread(first_answers), "< 50 ms"),
        ("handler: resident when idle".to_owned(), format!("{resident:.1} MB"), "< 20 MB"),
    ])
}

fn resident_megabytes(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.split_whitespace().next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0 / 1e6
}
