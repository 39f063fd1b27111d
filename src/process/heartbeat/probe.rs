//! The probes that ask something from outside: a required process's heartbeat, and a health check (P3, H7).

use crate::config::required::Probe;

use super::{command, http, tcp};

/// Asks once. Dropping the question ends it and leaves nothing behind; how long it may take is the asker's decision.
///
/// # Errors
/// Why there is no good answer, in a few words: `connection refused`, `HTTP status 503`, `exit status 1`.
pub async fn ask(probe: &Probe, environment: &[(String, String)]) -> Result<(), String> {
    match probe {
        Probe::Http { target } => http::ask(target).await,
        Probe::Tcp { target } => tcp::ask(target).await,
        Probe::Command { command } => command::ask(command, environment).await,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    fn http(address: std::net::SocketAddr) -> Probe {
        Probe::Http { target: format!("http://{address}/health") }
    }

    /// A server that answers one connection with `answer`, and returns what it was asked.
    fn answering(answer: &'static str) -> (std::net::SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                asked.push(byte[0]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, server)
    }

    #[tokio::test]
    async fn p3_http_is_good_from_200_to_299() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Ok(())),
            ("HTTP/1.1 299 Odd\r\n\r\n", Ok(())),
            ("HTTP/1.1 199 Odd\r\n\r\n", Err("closed without an answer".to_owned())),
            ("HTTP/1.1 300 Many\r\n\r\n", Err("HTTP status 300".to_owned())),
            ("HTTP/1.1 503 Busy\r\n\r\n", Err("HTTP status 503".to_owned())),
            ("", Err("closed without an answer".to_owned())),
        ] {
            let (address, server) = answering(answer);
            assert_eq!(ask(&http(address), &[]).await, expected, "{answer}");
            let asked = server.join().unwrap();
            assert!(asked.starts_with("GET /health HTTP/1.1\r\n"), "{asked}");
            assert!(asked.contains(&format!("Host: {address}\r\n")), "{asked}");
        }
    }

    #[tokio::test]
    async fn p3_tcp_is_good_when_it_opens() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let probe = Probe::Tcp { target: listener.local_addr().unwrap().to_string() };
        assert_eq!(ask(&probe, &[]).await, Ok(()));
        drop(listener);
        assert_eq!(ask(&probe, &[]).await, Err("connection refused".to_owned()));
    }
}
