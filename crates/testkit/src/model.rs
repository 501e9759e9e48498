//! The model server of a test: it must see no request that breaks the protocol.

use std::ops::Deref;

use adjutant_fakemodel::script::Book;
use adjutant_fakemodel::{Options, Server};

/// A model server that fails its test when an agent breaks the protocol.
#[derive(Debug)]
pub struct Model {
    server: Server,
}

impl Model {
    /// A server at a free port.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub fn start() -> Self {
        Self::with_book(Book::default())
    }

    /// A server at a free port that plays by this book what has no marker.
    ///
    /// # Panics
    /// Where it cannot listen.
    pub fn with_book(book: Book) -> Self {
        let options = Options { book, ..Options::default() };
        Self { server: Server::start(options).expect("a model server on loopback") }
    }
}

impl Deref for Model {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let faults = self.server.recorder().faults();
        assert!(faults.is_empty() || std::thread::panicking(), "the agent broke the protocol: {faults:#?}");
    }
}
