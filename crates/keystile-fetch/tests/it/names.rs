//! A resolver that answers what the test says, and counts.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use keystile_fetch::Resolve;

type Answers = Box<dyn Fn(usize) -> Vec<IpAddr> + Send + Sync>;

#[derive(Default)]
pub(crate) struct Names {
    names: Mutex<HashMap<String, Answers>>,
    asked: AtomicUsize,
}

impl Names {
    pub(crate) fn always(&self, name: &str, addresses: &[IpAddr]) {
        let addresses = addresses.to_vec();
        self.by_turn(name, move |_| addresses.clone());
    }

    /// `answer` gets the number of questions asked before, about any name.
    pub(crate) fn by_turn(
        &self,
        name: &str,
        answer: impl Fn(usize) -> Vec<IpAddr> + Send + Sync + 'static,
    ) {
        self.names
            .lock()
            .expect("not poisoned")
            .insert(name.to_owned(), Box::new(answer));
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Resolve for Names {
    fn resolve(&self, host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let names = self.names.lock().expect("not poisoned");
        let answer = names.get(host).map(|answer| answer(turn));
        let answer = answer.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound));
        std::future::ready(answer).boxed()
    }
}

/// A resolver that never answers.
pub(crate) struct Silent;

impl Resolve for Silent {
    fn resolve(&self, _host: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        std::future::pending().boxed()
    }
}

pub(crate) fn silent() -> Arc<Silent> {
    Arc::new(Silent)
}
