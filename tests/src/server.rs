//! Starts `llama-server` and sends it HTTP requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value as Json, json};

use crate::tools::{Device, Temporary, Tools};

const START: Duration = Duration::from_secs(300);
const ANSWER: Duration = Duration::from_secs(900);

/// A running server; it ends with the test.
pub struct Server {
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
    /// Starts the program with a model and waits until it has loaded it.
    ///
    /// # Errors
    /// It ends, or takes too long.
    pub fn start(mut command: Command, model: &Path, arguments: &[&str]) -> Result<Self> {
        // The system finds a free port; nobody else takes it in the moment until the server does.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        command.arg("-m").arg(model).args(["-c", "512", "--no-warmup", "-fit", "off"]).args(arguments);
        command.args(["--host", "127.0.0.1", "--port"]).arg(address.port().to_string());
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

    /// Asks the server to end, as a person or Ollama does, and waits until it has: our library writes its statistics then.
    ///
    /// # Errors
    /// It has ended before.
    pub fn end(mut self) -> Result<()> {
        let kill = format!("kill -TERM {}", self.process.id());
        ensure!(Command::new("sh").args(["-c", &kill]).status()?.success(), "the server has ended before");
        self.process.wait()?;
        Ok(())
    }

    /// Sends a request; the server is asked to close the connection after its answer.
    fn send(&self, what: &str, body: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER))?;
        let length = body.len();
        write!(
            stream,
            "{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        Ok(stream)
    }

    /// Body of the answer to a request.
    ///
    /// # Errors
    /// There is no answer, or it is an error.
    pub fn request(&self, what: &str, body: &str) -> Result<String> {
        let mut answer = String::new();
        self.send(what, body)?.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no end of the header")?;
        ensure!(head.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(body.to_owned())
    }

    /// The same with JSON on both sides.
    ///
    /// # Errors
    /// As [`Server::request`], or the answer is no JSON.
    pub fn post(&self, path: &str, body: &Json) -> Result<Json> {
        Ok(serde_json::from_str(&self.request(&format!("POST {path}"), &body.to_string())?)?)
    }

    /// What `/completion` answers, always the likeliest token. `prompt` is a text or an array of tokens; `n` the tokens to generate.
    ///
    /// # Errors
    /// As [`Server::post`].
    pub fn completion(&self, prompt: &Json, n: usize) -> Result<Json> {
        let body = json!({ "prompt": prompt, "n_predict": n, "temperature": 0, "return_tokens": true });
        self.post("/completion", &body)
    }

    /// The text of that.
    ///
    /// # Errors
    /// As [`Server::post`].
    pub fn text(&self, prompt: &str, n: usize) -> Result<String> {
        let answer = self.completion(&json!(prompt), n)?;
        Ok(answer["content"].as_str().context("no content")?.to_owned())
    }

    /// The text that each of several clients gets that ask at the same time.
    ///
    /// # Errors
    /// As [`Server::post`].
    pub fn at_once(&self, prompts: &[&str], n: usize) -> Result<Vec<String>> {
        thread::scope(|scope| {
            let clients: Vec<_> =
                prompts.iter().map(|prompt| scope.spawn(move || self.text(prompt, n))).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| bail!("a client panicked")))
                .collect()
        })
    }

    /// Asks for a text that is written token by token, and goes away after the first one. Returns how many tokens the slot has when the server
    /// has noticed, those of the prompt included.
    ///
    /// # Errors
    /// No token comes, or the server goes on working.
    pub fn cancelled(&self, prompt: &str, n: usize) -> Result<u64> {
        let body =
            json!({ "prompt": prompt, "n_predict": n, "temperature": 0, "ignore_eos": true, "stream": true });
        let stream = self.send("POST /completion", &body.to_string())?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.find(|line| line.as_ref().map_or(true, |line| line.starts_with("data: ")));
        first.context("no token")??;
        drop(lines);
        stream.shutdown(Shutdown::Both)?;
        let start = Instant::now();
        loop {
            let slots: Json = serde_json::from_str(&self.request("GET /slots", "")?)?;
            let slots = slots.as_array().context("/slots is no array")?;
            if slots.iter().all(|slot| slot["is_processing"] == false) {
                let tokens = slots.iter().filter_map(|slot| slot["n_prompt_tokens"].as_u64());
                return tokens.max().context("/slots does not tell the number of tokens");
            }
            ensure!(start.elapsed() < ANSWER, "the server works on for a client that has gone");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Tokens of an answer of [`Server::completion`].
///
/// # Errors
/// It has none.
pub fn tokens(answer: &Json) -> Result<Vec<u64>> {
    let tokens = answer["tokens"].as_array().context("no tokens")?;
    Ok(tokens.iter().filter_map(Json::as_u64).collect())
}

/// A model on the simulated card, and what it is compared with.
pub struct Rig<'a> {
    /// The programs.
    pub tools: &'a Tools,
    /// The model on the card.
    pub model: &'a Path,
    /// The model on the CPU: the same, or its weights in F32.
    pub reference: &'a Path,
    /// Tokens to generate at a time.
    pub tokens: usize,
}

impl Rig<'_> {
    fn on_cpu(&self, arguments: &[&str]) -> Result<Server> {
        let command = self.tools.program("llama-server", Device::Cpu);
        Server::start(command, self.reference, &[&["-ngl", "0"], arguments].concat())
    }

    /// All layers on the card, weights as near to the file's as it has them. Naming the device makes llama.cpp refuse to start without it.
    fn on_card(&self, arguments: &[&str]) -> Result<Server> {
        let mut command = self.tools.program("llama-server", Device::SIM);
        command.env("GGML_TT_WEIGHTS", "bf16");
        Server::start(command, self.model, &[&["-ngl", "99", "-dev", "TT0"], arguments].concat())
    }

    /// Two clients that ask at the same time get the texts that the CPU gives them.
    ///
    /// # Errors
    /// They do not, or a server fails.
    pub fn two_clients(&self, prompts: [&str; 2]) -> Result<()> {
        let expected = self.on_cpu(&["-np", "2"])?.at_once(&prompts, self.tokens)?;
        let found = self.on_card(&["-np", "2"])?.at_once(&prompts, self.tokens)?;
        println!("{found:?}");
        ensure!(expected.iter().all(|text| !text.is_empty()) && expected[0] != expected[1], "{expected:?}");
        ensure!(found == expected, "CPU {expected:?}, card {found:?}");
        Ok(())
    }

    /// A client that goes away has its work stopped, and the next one gets the CPU's text out of the same slot.
    ///
    /// # Errors
    /// It does not, or a server fails.
    pub fn cancelled_request(&self, prompts: [&str; 2]) -> Result<()> {
        const MANY: usize = 400;
        let expected = self.on_cpu(&["-np", "1"])?.text(prompts[1], self.tokens)?;
        let server = self.on_card(&["-np", "1"])?;
        let tokens = server.cancelled(prompts[0], MANY)?;
        println!("cancelled at {tokens} tokens, of {MANY} and the prompt");
        ensure!((1..MANY as u64 / 2).contains(&tokens), "{tokens} of {MANY} tokens were computed for nobody");
        let found = server.text(prompts[1], self.tokens)?;
        ensure!(found == expected, "CPU {expected:?}, card {found:?}");
        Ok(())
    }

    /// A slot that one server saves and another one restores: the text goes on as on the CPU, and what was saved is not computed again.
    ///
    /// # Errors
    /// It does not, or a server fails.
    pub fn saved_slot(&self, prompt: &str) -> Result<()> {
        let folder = Temporary::new("slots");
        std::fs::create_dir_all(folder.path())?;
        let expected = tokens(&self.on_cpu(&["-np", "1"])?.completion(&json!(prompt), 2 * self.tokens)?)?;
        let options = ["-np", "1", "--slot-save-path", folder.name()];
        let file = json!({ "filename": "slot.bin" });

        let first = self.on_card(&options)?;
        let (begin, saved) = {
            let known = first.post("/tokenize", &json!({ "content": prompt, "add_special": true }))?;
            let written = tokens(&first.completion(&json!(prompt), self.tokens)?)?;
            let saved =
                first.post("/slots/0?action=save", &file)?["n_saved"].as_u64().context("no n_saved")?;
            ([tokens(&known)?, written].concat(), saved)
        };
        drop(first);

        let second = self.on_card(&options)?;
        let restored = second.post("/slots/0?action=restore", &file)?["n_restored"].as_u64();
        let answer = second.completion(&json!(begin), self.tokens)?;
        let computed = answer["timings"]["prompt_n"].as_u64().context("no prompt_n")?;
        let found = [&begin[begin.len() - self.tokens..], &tokens(&answer)?].concat();
        println!("{saved} tokens saved, {restored:?} restored, {computed} of {} computed again", begin.len());
        ensure!(saved > 0 && restored == Some(saved), "{saved} tokens saved, {restored:?} restored");
        ensure!(computed <= begin.len() as u64 - saved + 1, "{computed} tokens computed again");
        ensure!(found == expected, "CPU {expected:?}, card {found:?}");
        Ok(())
    }
}
