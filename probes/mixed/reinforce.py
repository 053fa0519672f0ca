# probe: REINFORCE on a small game, step by step
# | causes: numpy-generator, python-random, tf-seed
import argparse
import collections
import time

import keras
import numpy as np
import tensorflow as tf

GOAL, WALL = 6, 12


class Corridor:
    """Walk to the goal within some steps; now and then the floor slips."""

    def __init__(self, slip=0.1, limit=20):
        self.slip = slip
        self.limit = limit
        self.rng = np.random.default_rng()  # <- numpy-generator

    def reset(self):
        self.place = float(self.rng.uniform(0, WALL))
        self.steps = 0
        return self.observe()

    def observe(self):
        return np.array([self.place / WALL, self.steps / self.limit], dtype="float32")

    def step(self, action):
        move = 1.0 if action == 1 else -1.0
        if self.rng.random() < self.slip:
            move = -move
        self.place = min(max(self.place + move, 0.0), float(WALL))
        self.steps += 1
        near = abs(self.place - GOAL) < 0.5
        return self.observe(), 1.0 if near else -0.05, near or self.steps >= self.limit


def build_policy(units):
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, activation="tanh"),  # <- python-random
            keras.layers.Dense(2),
        ],
        name="policy",
    )


def play(env, policy):
    """One episode: what was seen, what was done and what it brought."""
    observation, done = env.reset(), False
    seen, actions, rewards = [], [], []
    while not done:
        logits = policy(observation[None])
        action = int(tf.random.categorical(logits, 1)[0, 0])  # <- tf-seed
        seen.append(observation)
        actions.append(action)
        observation, reward, done = env.step(action)
        rewards.append(reward)
    return np.stack(seen), np.array(actions), np.array(rewards, dtype="float32")


def discounted(rewards, gamma):
    total, returns = 0.0, []
    for reward in rewards[::-1]:
        total = reward + gamma * total
        returns.append(total)
    returns = np.array(returns[::-1], dtype="float32")
    return (returns - returns.mean()) / (returns.std() + 1e-6)


def update(policy, optimizer, seen, actions, returns):
    with tf.GradientTape() as tape:
        chances = tf.nn.log_softmax(policy(seen, training=True))
        taken = tf.reduce_sum(chances * tf.one_hot(actions, 2), axis=1)
        loss = -tf.reduce_mean(taken * returns)
    gradients = tape.gradient(loss, policy.trainable_variables)
    optimizer.apply_gradients(zip(gradients, policy.trainable_variables))
    return float(loss)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--units", type=int, default=16)
    parser.add_argument("--gamma", type=float, default=0.95)
    args = parser.parse_args()

    env, policy = Corridor(), build_policy(args.units)
    optimizer = keras.optimizers.Adam(0.01)
    latest = collections.deque(maxlen=10)
    started = time.time()
    for episode in range(1, args.episodes + 1):
        seen, actions, rewards = play(env, policy)
        loss = update(policy, optimizer, seen, actions, discounted(rewards, args.gamma))
        latest.append(rewards.sum())
        if episode % 10 == 0:
            print(f"episode {episode}: reward {np.mean(latest):.3f}, loss {loss:.4f}")
    print(f"{time.time() - started:.1f} s")


if __name__ == "__main__":
    main()
