//! Several machines as one, through llama.cpp's RPC: servers offer their simulated cards, and a llama.cpp without this library uses
//! them over TCP. Here all of them run on one machine ([docs/rpc.md](../../docs/rpc.md)).

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use tt_tests::tools::Finished;
use tt_tests::{Device, Layers, Missing, Tools, need, tools};

const START: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(600);
const TEXT: [&str; 11] = [
    "-p",
    "And the king said to the",
    "-n",
    "12",
    "--temp",
    "0",
    "-no-cnv",
    "--no-display-prompt",
    "--no-warmup",
    "-fit",
    "off",
];

/// A server that offers `TT0`; it ends with the test.
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
    /// Starts a server and waits until it takes connections.
    fn start(tools: &Tools) -> Result<Self> {
        // The system finds a free port; nobody else takes it in the moment until the server does.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = tools.program("ggml-rpc-server", Device::SIM);
        // Naming the device makes it refuse to start without it: there is no CPU to compute on.
        command.args(["-d", "TT0", "-H", "127.0.0.1", "-p"]).arg(address.port().to_string());
        command.env("GGML_TT_WEIGHTS", "bf16").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = Self { process: command.spawn()?, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(server.process.try_wait()?.is_none(), "the server ended before it took a connection");
            ensure!(start.elapsed() < START, "the server did not come up");
            thread::sleep(Duration::from_millis(50));
        }
        Ok(server)
    }

    /// Whether it still runs.
    fn runs(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Ends it; returns what it printed: its devices, and a line for every client.
    fn end(mut self) -> Result<String> {
        let mut out = self.process.stdout.take().context("no output")?;
        self.process.kill()?;
        self.process.wait()?;
        let mut text = String::new();
        out.read_to_string(&mut text)?;
        Ok(text)
    }
}

/// What is needed: the server, and a client that can be one.
fn find() -> Result<Tools, Missing> {
    let tools = Tools::find()?;
    tools.optional("ggml-rpc-server", Device::SIM)?;
    tools::native("libpreload.so")?;
    if tools.bin().join("libggml-rpc.so").is_file() {
        Ok(tools)
    } else {
        Err(Missing::of("libggml-rpc.so is not built"))
    }
}

/// Runs a program on the servers' cards; it does not load our library.
fn client(tools: &Tools, servers: &[&Server], arguments: &[&str]) -> Result<Finished> {
    let addresses: Vec<String> = servers.iter().map(|server| server.address.to_string()).collect();
    let devices: Vec<String> = (0..servers.len()).map(|i| format!("RPC{i}")).collect();
    let mut command = tools.program("llama-completion", Device::Cpu);
    tools::preload(&mut command).map_err(|missing| anyhow!("{missing}"))?;
    command.arg("-m").arg(tools::demo_model()).args(["--rpc", &addresses.join(",")]);
    command.args(["-dev", &devices.join(","), "-ngl", "99", "-v"]).args(TEXT).args(arguments);
    let finished = tools::run(&mut command, LIMIT)?.success()?;
    for address in addresses {
        let placed = |line: &str| line.contains(&address) && line.contains("model buffer size");
        ensure!(finished.err.lines().any(placed), "no weights on {address}: {}", finished.err);
    }
    ensure!(!finished.err.contains("ggml_tenstorrent"), "the client has loaded our library");
    Ok(finished)
}

fn on_cpu(tools: &Tools) -> Result<String> {
    let program = Layers::OnCpu.program(tools, "llama-completion");
    let mut command = program.map_err(|missing| anyhow!("{missing}"))?;
    Ok(Layers::OnCpu.run(command.args(TEXT))?.out)
}

/// Half of the layers on each server; and both serve the next client as well, here with the whole model on one of them.
#[test]
fn two_servers_and_a_client() {
    let tools = need!(find());
    let expected = on_cpu(&tools).unwrap();
    let [mut first, mut second] = [(); 2].map(|()| Server::start(&tools).unwrap());
    let found = client(&tools, &[&first, &second], &["-sm", "layer"]).unwrap();
    assert_eq!(found.out, expected);
    let found = client(&tools, &[&second], &["-fa", "off"]).unwrap();
    assert_eq!(found.out, expected);
    assert!(first.runs().unwrap() && second.runs().unwrap());
    for (server, clients) in [(first, 1), (second, 2)] {
        let said = server.end().unwrap();
        assert!(said.contains("  TT0: Tenstorrent"), "{said}");
        // One connection was ours, to see whether it is there.
        assert!(said.matches("Accepted client connection").count() > clients, "{said}");
    }
}
