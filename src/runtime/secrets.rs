//! Secret values: in memory, in the keeper's note, and in the environment of what needs them;
//! never on the disk and never shown.

use std::collections::BTreeMap;

use crate::model::{EnvValue, Stack, TaskBody, Text};

/// What stands in the place of a secret.
const MASK: &str = "•••";

/// The secret values of a stack, by where they stand.
pub(super) type Secrets = BTreeMap<String, Option<Text>>;

/// Takes every secret value out of a stack, leaving a mask.
pub(super) fn take(stack: &mut Stack) -> Secrets {
    let mut secrets = Secrets::new();
    visit(stack, |place, value| {
        let masked = value.value.as_ref().map(|_| Text::literal(MASK));
        secrets.insert(place, std::mem::replace(&mut value.value, masked));
    });
    secrets
}

/// Puts secret values back where they were.
pub(super) fn put_back(stack: &mut Stack, secrets: &Secrets) {
    visit(stack, |place, value| {
        if let Some(secret) = secrets.get(&place) {
            value.value.clone_from(secret);
        }
    });
}

fn visit(stack: &mut Stack, mut each: impl FnMut(String, &mut EnvValue)) {
    let mut env = |place: &str, env: &mut BTreeMap<String, EnvValue>| {
        for (key, value) in env.iter_mut().filter(|(_, value)| value.secret) {
            each(format!("{place}/{key}"), value);
        }
    };
    for service in &mut stack.services {
        env(&service.name, &mut service.env);
    }
    for task in &mut stack.tasks {
        env(&task.name, &mut task.env);
        let steps = match &mut task.body {
            TaskBody::Steps(steps) => steps.as_mut_slice(),
            TaskBody::Command(_) => &mut [],
        };
        for step in steps.iter_mut().chain(&mut task.on_failure) {
            env(&format!("{}/{}", task.name, step.name), &mut step.env);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Service;

    #[test]
    fn secrets_go_and_come_back() {
        let mut service = Service::new("api", "/srv");
        let secret = EnvValue { value: Some("hunter2".into()), secret: true };
        let plain = EnvValue { value: Some("info".into()), secret: false };
        service.env.insert("TOKEN".into(), secret);
        service.env.insert("LOG_LEVEL".into(), plain);
        let stack = Stack { services: vec![service], ..Stack::default() };

        let mut masked = stack.clone();
        let secrets = take(&mut masked);
        let json = serde_json::to_string(&masked).unwrap();
        assert!(!json.contains("hunter2") && json.contains("info"), "{json}");
        put_back(&mut masked, &secrets);
        assert_eq!(masked, stack);
    }
}
