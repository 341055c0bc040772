//! `keystile client`: clients that the operator registers.

use clap::Subcommand;

use crate::admin::Request;
use crate::cli::{Global, output};
use crate::control;
use crate::failure::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a public client (PKCE, no secret).
    Add {
        /// What people see on the consent page.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Where a sign-in may lead back to, exactly. May be given several times.
        #[arg(long = "redirect-uri", required = true, value_name = "URI")]
        redirect_uris: Vec<String>,
        /// The `client_id`; by default one is made.
        #[arg(long, value_name = "ID")]
        client_id: Option<String>,
        /// Take the port of a loopback redirect exactly, too (without, any port will do: RFC 8252 §7.3).
        #[arg(long)]
        exact_port: bool,
    },
    /// List the clients that you registered.
    List,
}

impl Client {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        match self {
            Self::Add {
                name,
                redirect_uris,
                client_id,
                exact_port,
            } => {
                let request = Request::ClientAdd {
                    name,
                    redirect_uris,
                    client_id,
                    exact_port,
                };
                let answer = control::ask(global, request)?;
                output::answer(global.json, &answer, || {
                    answer["client_id"].as_str().unwrap_or_default().to_owned()
                })?;
            }
            Self::List => {
                let answer = control::ask(global, Request::ClientList)?;
                output::answer(global.json, &answer, || {
                    let rows = control::rows(&answer, ["client_id", "name", "redirect_uris"]);
                    output::table(["CLIENT_ID", "NAME", "REDIRECT_URIS"], &rows)
                })?;
            }
        }
        Ok(())
    }
}
