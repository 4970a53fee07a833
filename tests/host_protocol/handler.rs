//! The handler process: this test binary, started once more by the host. It records every request as it came, byte for
//! byte, asks the test what to do, and does it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The variable that makes a process of this binary a handler; it holds the address of the test.
pub const CONTROL: &str = "TEST_CONTROL";

/// What the handler tells the test. Bytes travel as Latin-1 text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Report {
    Started { environment: Vec<(String, String)>, folder: String, arguments: Vec<String> },
    Request(Request),
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Request {
    pub line: String,
    /// Names and values by turns.
    pub fields: Vec<String>,
    pub body: String,
    pub chunked: bool,
}

impl Request {
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.chunks(2).find(|pair| pair[0].eq_ignore_ascii_case(name)).map(|pair| pair[1].as_str())
    }

    pub fn method(&self) -> &str {
        self.line.split(' ').next().unwrap()
    }

    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap()
    }

    /// The question whether the handler is up.
    pub fn is_probe(&self) -> bool {
        self.line == "GET / HTTP/1.1" && self.fields.len() == 2
    }
}

/// What the test tells the handler to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    Write(String),
    /// Bytes of that length.
    Fill(usize),
    Pause(u64),
    Print(String),
    PrintError(String),
    Close,
    Reset,
    Exit(i32),
    Abort,
    /// Never answer.
    Hang,
}

pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

pub fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("Latin-1")).collect()
}

pub fn run(control: &str) {
    let ask = |control: &mut BufReader<TcpStream>, report: &Report| -> Vec<Step> {
        let line = serde_json::to_string(report).unwrap() + "\n";
        let mut answer = String::new();
        if control.get_mut().write_all(line.as_bytes()).is_err() || control.read_line(&mut answer).unwrap_or(0) == 0 {
            std::process::exit(99);
        }
        serde_json::from_str(&answer).unwrap()
    };
    let connect = || BufReader::new(TcpStream::connect(control).unwrap_or_else(|_| std::process::exit(99)));
    let started = Report::Started {
        environment: std::env::vars().collect(),
        folder: std::env::current_dir().unwrap().display().to_string(),
        arguments: std::env::args().collect(),
    };
    let mut starting = connect();
    for step in ask(&mut starting, &started) {
        local(&step, &mut starting);
    }
    let port: u16 = std::env::var("FUNCTIONS_CUSTOMHANDLER_PORT").unwrap().parse().unwrap();
    // The test's end is the handler's.
    std::thread::spawn(move || {
        let _ = starting.read_line(&mut String::new());
        std::process::exit(99);
    });
    for stream in TcpListener::bind(("127.0.0.1", port)).unwrap().incoming() {
        let (stream, mut control) = (stream.unwrap(), connect());
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            while let Some(request) = read(&mut reader) {
                for step in ask(&mut control, &Report::Request(request)) {
                    if !act(&step, &mut reader, &mut control) {
                        return;
                    }
                }
            }
        });
    }
}

fn local(step: &Step, control: &mut BufReader<TcpStream>) {
    match step {
        Step::Pause(millis) => std::thread::sleep(Duration::from_millis(*millis)),
        Step::Print(line) => println!("{line}"),
        Step::PrintError(line) => eprintln!("{line}"),
        Step::Exit(code) => std::process::exit(*code),
        Step::Abort => std::process::abort(),
        Step::Hang => {
            let _ = control.read_line(&mut String::new());
            std::process::exit(99);
        }
        _ => {}
    }
}

/// False when the connection is over.
fn act(step: &Step, reader: &mut BufReader<TcpStream>, control: &mut BufReader<TcpStream>) -> bool {
    let stream = reader.get_mut();
    match step {
        Step::Write(text) => stream.write_all(&bytes(text)).is_ok(),
        Step::Fill(length) => stream.write_all(&vec![b'x'; *length]).is_ok(),
        Step::Close | Step::Reset => false,
        other => {
            local(other, control);
            true
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = || -> Option<String> {
        let mut bytes = Vec::new();
        reader.read_until(b'\n', &mut bytes).ok().filter(|read| *read > 0)?;
        Some(latin1(bytes.strip_suffix(b"\r\n")?))
    };
    let first = line()?;
    let mut fields = Vec::new();
    loop {
        let field = line()?;
        let Some((name, value)) = field.split_once(':') else { break };
        fields.extend([name.to_owned(), value.trim().to_owned()]);
    }
    let mut request = Request { line: first, fields, body: String::new(), chunked: false };
    let mut body = Vec::new();
    if request.field("Transfer-Encoding") == Some("chunked") {
        request.chunked = true;
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = request.field("Content-Length") {
        body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut body).ok()?;
    }
    // Large bodies need not travel on: their length tells enough.
    request.body = if body.len() > 100_000 { format!("{} bytes", body.len()) } else { latin1(&body) };
    Some(request)
}
