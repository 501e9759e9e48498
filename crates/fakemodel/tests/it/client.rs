//! The least that can call a server: one request, one connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use adjutant_fakemodel::Server;

/// How long a call may take.
const CALL_MAX: Duration = Duration::from_secs(20);

/// Sends a request and gives the connection, on which the answer comes.
pub(crate) fn send(server: &Server, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("the server listens");
    stream.set_read_timeout(Some(CALL_MAX)).expect("a limit");
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n");
    write!(stream, "{head}{headers}content-length: {}\r\n\r\n{body}", body.len()).expect("a request");
    stream
}

/// All that comes on a connection until it is closed or cut.
pub(crate) fn all(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A cut may show as a reset; what came before it counts.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
