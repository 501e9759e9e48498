//! What crosses the socket: wire types, the one table of methods, exit codes and error codes.
//!
//! Nothing here speaks to anybody. The daemon serves [`methods::METHODS`], the client calls it, and the OpenAPI document
//! and the reference page are made from it, so that none of them can say something else.

pub mod error;
pub mod error_code;
pub mod exit_code;
pub mod home;
pub mod methods;
pub mod openapi;
pub mod protocol;
pub mod query;
pub mod reference;
pub mod schema;
pub mod stream;
pub mod time;
pub mod types;

pub use adjutant_core::event::type_matches;
pub use adjutant_core::limits;
pub use adjutant_core::name::{NameMalformed, SessionName, choose as choose_name};
pub use error::{ErrorBody, ErrorDocument};
pub use error_code::ErrorCode;
pub use exit_code::ExitCode;
pub use time::WireTime;
