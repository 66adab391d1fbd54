//! Any sequence of logins, logouts and new passwords, beside a model of what they should come to.

use super::tests::{fields, log_in, token, with_token};
use crate::config::{Limits, LoginPolicy};
use crate::gate::{Gate, proof};
use crate::handler::house::tests::TestHouse;
use crate::handler::logout::Logout;
use crate::handler::presence::Order;
use crate::session::Role;
use crate::store::{Account, MemoryUsers, Secret};
use crate::time::{Clock, Random};
use crate::wire::{Code, Fields, Token, UserName};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::SystemTime;

const USERS: [&str; 2] = ["lisi", "zhangsan"];

/// Something that somebody does. Tokens and users are counted round.
#[derive(Debug, Clone)]
enum Act {
    LogIn { user: usize, is_right: bool },
    UseToken(usize),
    LogOut,
    EndToken(usize),
    NewPassword(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let (user, token) = (0..USERS.len(), 0usize..8);
    prop_oneof![
        3 => (user.clone(), prop::bool::weighted(0.8))
            .prop_map(|(user, is_right)| Act::LogIn { user, is_right }),
        3 => token.clone().prop_map(Act::UseToken),
        1 => Just(Act::LogOut),
        1 => token.prop_map(Act::EndToken),
        1 => user.prop_map(Act::NewPassword),
    ]
}

/// An Argon2id string that costs next to nothing.
fn cheap(password: &str) -> Secret {
    let params = Params::new(8, 1, 1, Some(16)).unwrap();
    let mut hash = [0; 16];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(
            proof("salt", password).as_bytes(),
            b"sixteen byte slt",
            &mut hash,
        )
        .unwrap();
    let phc = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).unwrap(),
        salt: Some(Salt::new(b"sixteen byte slt").unwrap()),
        hash: Some(Output::new(&hash).unwrap()),
    };
    Secret::Argon2(phc.to_string())
}

/// What should be so.
#[derive(Default)]
struct Model {
    /// How many passwords each user has had.
    passwords: [u32; USERS.len()],
    /// Every token that was told, whose it is, and whether it is good.
    tokens: Vec<(Token, usize, bool)>,
    /// Who is logged in, and which token that stands on.
    session: Option<(usize, usize)>,
}

/// The real thing.
struct Real {
    house: TestHouse,
    users: Arc<MemoryUsers>,
}

impl Real {
    fn new() -> Self {
        let users = Arc::new(MemoryUsers::default());
        let clock = Clock::from_fn(|| SystemTime::UNIX_EPOCH);
        let mut house = TestHouse::new();
        let limits = Limits {
            max_failed_logins: 1_000,
            max_failed_logins_per_address: 1_000,
            ..Limits::default()
        };
        let gate = Gate::with(users.clone(), clock, Random::seeded(1));
        house.house.gate = gate.with_limits(&limits);
        house.session.login = LoginPolicy::Required;
        let real = Self { house, users };
        (0..USERS.len()).for_each(|user| real.set_password(user, 0));
        real
    }

    fn set_password(&self, user: usize, number: u32) {
        self.users.insert(Account {
            name: UserName::new(USERS[user]).unwrap(),
            secret: cheap(&number.to_string()),
            role: Role::User,
        });
    }
}

/// Does `act` to both.
fn perform(act: &Act, model: &mut Model, real: &mut Real) {
    let count = model.tokens.len();
    match *act {
        Act::LogIn { user, is_right } => {
            let number = model.passwords[user] + u32::from(!is_right);
            let answer = log_in(&mut real.house, &fields(USERS[user], &number.to_string()));
            assert_eq!(answer.is_ok(), is_right);
            if let Ok(reply) = answer {
                model.session = Some((user, count));
                model.tokens.push((token(&reply), user, true));
            }
        }
        Act::UseToken(at) if count > 0 => {
            let (token, user, is_good) = model.tokens[at % count].clone();
            let answer = log_in(&mut real.house, &with_token(&token.text()));
            let code = answer.map(|_| ()).map_err(|refusal| refusal.code);
            let expected = if is_good { Ok(()) } else { Err(Code::BadLogin) };
            assert_eq!(code, expected);
            if is_good {
                model.session = Some((user, at % count));
            }
        }
        Act::LogOut => {
            assert!(real.house.serve(&Logout, &Fields::new(), &[]).is_ok());
            if let Some((_, at)) = model.session.take() {
                model.tokens[at].2 = false;
            }
        }
        Act::EndToken(at) if count > 0 => {
            let (token, _, is_good) = &mut model.tokens[at % count];
            let fields = with_token(&token.text());
            assert!(real.house.serve(&Logout, &fields, &[]).is_ok());
            *is_good = false;
            model.session = None;
        }
        Act::NewPassword(user) => {
            model.passwords[user] += 1;
            real.set_password(user, model.passwords[user]);
            for (_, _, is_good) in model.tokens.iter_mut().filter(|it| it.1 == user) {
                *is_good = false;
            }
            model.session = model.session.filter(|(who, _)| *who != user);
        }
        Act::UseToken(_) | Act::EndToken(_) => {}
    }
}

/// Sees to it that both have come to the same.
fn compare(model: &Model, real: &mut Real) {
    let house = &mut real.house;
    house.house.presence.review(&house.house.gate);
    // The server would end the connection; here it goes on as a new one.
    if let Some(order) = house.house.presence.take_order(1) {
        assert!(matches!(order, Order::End(refusal) if refusal.code == Code::BadLogin));
        if let Some(user) = house.session.user.take() {
            house.house.presence.leave(1, &user);
        }
        house.session.log_out();
    }
    let user = house.session.user.as_ref().map(UserName::as_str);
    assert_eq!(user, model.session.map(|(user, _)| USERS[user]));
    assert_eq!(house.session.owes_login(), model.session.is_none());
    for (token, user, is_good) in &model.tokens {
        let opened = house.house.gate.open(token);
        assert_eq!(opened.is_ok(), *is_good);
        if let Ok(opened) = opened {
            assert_eq!(opened.account.name.as_str(), USERS[*user]);
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_logins_and_tokens_are_what_they_should_be(
        acts in prop::collection::vec(act(), 1..40),
    ) {
        let (mut model, mut real) = (Model::default(), Real::new());
        for act in &acts {
            perform(act, &mut model, &mut real);
            compare(&model, &mut real);
        }
    }
}
