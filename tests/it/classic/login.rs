//! `login://`: one object in any pieces, and nobody else gets in.

use super::house::House;
use crate::support::proof;

#[test]
fn a_login_is_one_object_in_any_pieces() {
    let house = House::at("login://127.0.0.1:0");
    let object = |password: &str| {
        let proof = proof(password);
        format!("{{\"username\": \"zhangsan\", \"password\": \"{proof}\", \"x\": [1]}}")
    };
    let say = |pieces: &[&[u8]], verdict: &str| {
        let mut client = house.client();
        client.hears("欢迎使用XX系统");
        for piece in pieces {
            client.say(piece);
        }
        client.hears(verdict);
        client.hears_the_end();
    };
    let right = object("123");
    say(&[right.as_bytes()], "登陆成功");
    let bytes: Vec<_> = right.as_bytes().chunks(1).collect();
    say(&bytes, "登陆成功");
    say(&[object("124").as_bytes()], "账号或密码错误");
    say(&[b"nonsense"], "账号或密码错误");
    say(&[b"{\"username\":\"zhangsan\"}"], "账号或密码错误");
    let mut half = house.client();
    half.say("{\"username\":");
    half.ends();
    half.hears("欢迎使用XX系统账号或密码错误");
    half.hears_the_end();
    let mut silent = house.client();
    silent.hears("欢迎使用XX系统");
    silent.ends();
    silent.hears_the_end();
}

#[test]
fn a_megabyte_of_junk_and_guessing_get_no_one_in() {
    let house = House::at("login://127.0.0.1:0");
    let mut junk = house.client();
    junk.hears("欢迎使用XX系统");
    // The server reads on for a while, so that its answer is not lost in a reset.
    junk.say(vec![b'{'; 1 << 20]);
    junk.hears("账号或密码错误");
    for password in ["1", "2", "3", "4", "5", "123"] {
        let mut client = house.client();
        client.hears("欢迎使用XX系统");
        let proof = proof(password);
        client.say(format!(
            "{{\"username\":\"zhangsan\",\"password\":\"{proof}\"}}"
        ));
        // After five failures even the right one waits.
        client.hears("账号或密码错误");
        client.hears_the_end();
    }
}
