//! The platform that is upgraded: what its images are built by, and the app that runs them.

use std::sync::Arc;

use windlass::engine::Pipeline;
use windlass::pipelines::upgrade::{self, Component, Upgrade};

use super::app::{App, AppHabits};
use super::builder::{Builder, Habits};
use super::world::Injector;

#[derive(Clone)]
pub struct Platform {
    pub builder: Builder,
    pub app: App,
}

impl Platform {
    pub fn new(injector: &Injector, builds: Habits, rollouts: AppHabits) -> Self {
        let builder = Builder::new(injector, builds);
        let app = App::new(injector, rollouts, &builder);
        Self { builder, app }
    }

    /// The real pipelines over this platform.
    pub fn pipelines(&self) -> Vec<Pipeline> {
        let component = |name: &&str| Component {
            name: (*name).to_owned(),
            image: format!("elb-{name}"),
            dockerfile: format!("{name}/Dockerfile"),
            context: String::new(),
        };
        let upgrade = Arc::new(Upgrade {
            components: self.builder.habits().components.iter().map(component).collect(),
            source: Arc::new(self.builder.clone()),
            images: Arc::new(self.builder.clone()),
            store: Arc::new(self.builder.clone()),
            apps: Arc::new(self.app.clone()),
            readiness: Arc::new(self.app.clone()),
            poll: self.builder.habits().poll,
            rollout: self.app.habits().settings.clone(),
        });
        vec![upgrade::pipeline(&upgrade), upgrade::rollback(&upgrade)]
    }
}
