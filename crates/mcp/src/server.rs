//! The server: what it says of itself, its tools, and their calls.

use adjutant_api::protocol::VERSION;
use adjutant_api::{ErrorBody, ErrorCode};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, Implementation, InitializeResult, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler, ServiceExt};
use serde_json::json;

use crate::call::call;
use crate::{Caller, tools};

/// What a model is told of all tools at once.
const INSTRUCTIONS: &str = "Sessions of other coding agents (Claude Code, Codex, shells): create one, send it work, wait \
for the end of the work, read its answer, kill it. `send` puts a message into a queue and returns; `wait` blocks until the \
work has ended. Every result has `exit`: 0 completed; 1 the turn failed or the call was refused; 2 the call is wrong; 3 \
somebody must answer (`requests`, `respond`); 4 no such session, or it has exited (`wake` revives it); 5 unknown, look \
before you repeat; 124 the time is over and the work goes on, `wait` again; 130 interrupted; 255 the daemon is out of \
reach. A shell session gives its command's own code. End what you started, and nothing else.";

/// The server of one client.
#[derive(Clone)]
pub(crate) struct Tools {
    caller: Caller,
}

impl Tools {
    pub(crate) fn new(caller: Caller) -> Self {
        Self { caller }
    }

    fn refused(&self, error: ErrorBody) -> CallToolResult {
        let error = (self.caller.hinted)(error);
        CallToolResult::structured_error(json!({"exit": error.exit, "error": error}))
    }
}

impl ServerHandler for Tools {
    fn get_info(&self) -> InitializeResult {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        InitializeResult::new(capabilities)
            .with_server_info(Implementation::new("adjutant", VERSION))
            .with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let unknown = || ErrorData::invalid_params(format!("no tool `{}`", request.name), None);
        let method = tools::find(&request.name).ok_or_else(unknown)?;
        let called = call(&self.caller, method, request.arguments.unwrap_or_default()).await;
        Ok(match called {
            Ok(called) => CallToolResult::structured(json!({"exit": called.exit, "result": called.result})),
            Err(error) => self.refused(error),
        }
        .into())
    }
}

/// Serves one client on standard input and output until it goes away.
///
/// # Errors
/// When the client says nothing that makes sense.
pub async fn serve_stdio(caller: Caller) -> Result<(), ErrorBody> {
    let failed = |error: &dyn std::fmt::Display| ErrorBody::new(ErrorCode::Usage, format!("no MCP client: {error}"));
    let served = Tools::new(caller).serve(rmcp::transport::stdio()).await.map_err(|error| failed(&error))?;
    served.waiting().await.map_err(|error| failed(&error))?;
    Ok(())
}
