//! `keystile serve`: many servers, one file.

use crate::cli::{Global, output, runtime};
use crate::config::Config;
use crate::failure::Failure;
use crate::wire::{self, Plan, Rebind};

#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Give this name to the server that has it in the file now, though it was another one's: every
    /// grant of that one ends. May be given several times.
    #[arg(long, value_name = "NAME")]
    rebind: Vec<String>,
}

impl Serve {
    pub(crate) fn run(self, global: &Global) -> Result<(), Failure> {
        let config = Config::load(&global.config())?;
        let known = |name: &&String| config.servers.iter().any(|server| server.name == **name);
        if let Some(name) = self.rebind.iter().find(|name| !known(name)) {
            return Err(Failure::usage(
                "unknown_server",
                format!("--rebind {name}: there is no such server in the file"),
                "name a server as its section [servers.NAME] does",
            ));
        }
        let plan = Plan {
            data_dir: global.data_dir()?,
            admin_command: global.admin_command(),
            listen: config.listen,
            tokens: config.tokens,
            clients: config.clients,
            servers: config.servers,
            rebind: Rebind::These(self.rebind),
        };
        output::log_to_stderr(global)?;
        runtime()?.block_on(wire::serve(plan, global.json))
    }
}
