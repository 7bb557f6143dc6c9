//! `llama-server` with all layers on the simulated card: two clients at once get the text that the CPU gives.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tt_tests::{Device, Tools, need, tools};

const START: Duration = Duration::from_secs(120);
const ANSWER: Duration = Duration::from_secs(600);
const PROMPTS: [&str; 2] = ["And the king said to the", "In the evening the prince"];

/// A running server; it ends with the test.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; the test has its result either way.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    /// Starts the program and waits until it has loaded the model.
    fn start(mut command: Command, layers: &[&str]) -> Result<Self> {
        // The system finds a free port; nobody else takes it in the moment until the server does.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        command.arg("-m").arg(tools::demo_model()).args(layers);
        command.args([
            "-c",
            "512",
            "-np",
            "2",
            "--no-warmup",
            "-fit",
            "off",
            "--host",
            "127.0.0.1",
            "--port",
        ]);
        command.arg(address.port().to_string()).env("GGML_TT_WEIGHTS", "bf16");
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Self { process, address };
        let start = Instant::now();
        while !server.request("GET /health", "").is_ok_and(|answer| answer.contains("\"ok\"")) {
            ensure!(server.process.try_wait()?.is_none(), "the server ended while it loaded the model");
            ensure!(start.elapsed() < START, "the server did not come up");
            thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }

    /// Body of the answer to a request, whose connection the server closes.
    fn request(&self, what: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let length = body.len();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no end of the header")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(body.to_owned())
    }

    fn completion(&self, prompt: &str) -> Result<String> {
        let body = serde_json::json!({ "prompt": prompt, "n_predict": 8, "temperature": 0 });
        let answer: serde_json::Value =
            serde_json::from_str(&self.request("POST /completion", &body.to_string())?)?;
        Ok(answer["content"].as_str().context("no content")?.to_owned())
    }

    /// What each of two clients gets that ask at the same time.
    fn two_clients(&self) -> Vec<String> {
        thread::scope(|scope| {
            let clients = PROMPTS.map(|prompt| scope.spawn(move || self.completion(prompt).unwrap()));
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        })
    }
}

#[test]
fn two_clients_at_once() {
    let tools = need!(Tools::find());
    let on_cpu = need!(tools.optional("llama-server", Device::Cpu));
    let on_card = need!(tools.optional("llama-server", Device::SIM));
    let expected = Server::start(on_cpu, &["-ngl", "0"]).unwrap().two_clients();
    let found = Server::start(on_card, &["-ngl", "99", "-dev", "TT0"]).unwrap().two_clients();
    println!("{found:?}");
    assert!(expected.iter().all(|text| !text.is_empty()) && expected[0] != expected[1], "{expected:?}");
    assert_eq!(found, expected);
}
