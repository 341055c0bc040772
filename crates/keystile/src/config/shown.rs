//! What holds, for people: defaults and variables of the environment included, secrets not.

use serde_json::{Map, Value, json};

use super::Config;
use super::clients::registration_word;
use crate::wire::{KnownAs, Upstream};

impl Config {
    /// As the file would say it.
    pub(crate) fn shown(&self) -> Value {
        let Self {
            listen,
            tokens,
            clients,
            servers,
        } = self;
        let texts = |texts: Vec<String>| Value::from(texts);
        let registration = clients.registration.map_or("off", registration_word);
        let servers: Map<_, _> = servers
            .iter()
            .map(|server| (server.name.clone(), upstream(&server.upstream)))
            .collect();
        json!({
            "listen": {
                "port": listen.port,
                "address": listen.address,
                "public_url": listen.public_url.as_ref().map(ToString::to_string),
                "trusted_proxies": texts(listen.trusted_proxies.iter().map(ToString::to_string).collect()),
                "ops": listen.ops(),
                "origins": listen.origins,
            },
            "tokens": {
                "access_token_lifetime": format!("{}s", tokens.access_token_lifetime.as_secs()),
                "key_rotation": format!("{}s", tokens.key_rotation.as_secs()),
            },
            "clients": {
                "registration": registration,
                "trusted_hosts": texts(clients.hosts.trusted.iter().map(ToString::to_string).collect()),
                "hosts": if clients.hosts.no_other { "listed" } else { "any" },
                "air_gapped": clients.air_gapped,
                "extra_ca_file": clients.extra_ca_file,
                "danger_fetch_allow": texts(clients.fetch_allow.iter().map(ToString::to_string).collect()),
            },
            "servers": servers,
        })
    }

    /// The servers whose program is not there, and that program.
    pub(crate) fn missing_programs(&self) -> Vec<(String, String)> {
        let missing = self.servers.iter().filter_map(|server| {
            let Upstream::Stdio { argv, .. } = &server.upstream else {
                return None;
            };
            let program = argv.first()?;
            let is_there = std::path::Path::new(program).is_absolute();
            (!is_there).then(|| (server.name.clone(), program.to_string_lossy().into_owned()))
        });
        missing.collect()
    }
}

fn upstream(upstream: &Upstream) -> Value {
    let fingerprint = upstream.fingerprint();
    // Without what may be a secret in it.
    let shown = crate::wire::shown_fingerprint(&fingerprint);
    match upstream {
        Upstream::Http { .. } => json!({ "url": shown }),
        Upstream::Stdio {
            known_as: KnownAs::Demo(_),
            ..
        } => json!({ "command": shown }),
        Upstream::Stdio { env, idle, .. } => {
            let names = env.iter().map(|(name, _)| name.to_string_lossy());
            json!({
                "command": shown,
                "env": names.collect::<Vec<_>>(),
                "idle": format!("{}s", idle.as_secs()),
            })
        }
    }
}
