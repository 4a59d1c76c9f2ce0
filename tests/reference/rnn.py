"""Independent numpy reference of the recurrent networks: one sample, one step at a time."""

import numpy as np


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _run(step, x, lengths, direction, hidden, outputs, initial_h, initial_c):
    """``step(d, x, h, c)`` gives the next h and c of one sample."""
    steps, batch, _ = x.shape
    directions = 2 if direction == "bidirectional" else 1
    y = np.zeros((steps, directions, batch, hidden))
    y_h = np.zeros((directions, batch, hidden))
    y_c = np.zeros((directions, batch, hidden))
    for d in range(directions):
        for n in range(batch):
            h = np.zeros(hidden) if initial_h is None else np.float64(initial_h[d, n])
            c = np.zeros(hidden) if initial_c is None else np.float64(initial_c[d, n])
            times = range(steps if lengths is None else int(lengths[n]))
            for t in reversed(times) if d == 1 or direction == "reverse" else times:
                h, c = step(d, np.float64(x[t, n]), h, c)
                y[t, d, n] = h
            y_h[d, n], y_c[d, n] = h, c
    outputs = outputs.lower()
    states = [y_h] if outputs in ("hidden_state", "hidden_cell_state") else []
    states += [y_c] if outputs in ("cell_state", "hidden_cell_state") else []
    return (y, *states)


def _matrices(w, weight_format):
    w = np.float64(w)
    return w.transpose(0, 2, 1) if weight_format.lower() == "ldigo" else w


def _halves(bias, rows, directions):
    if bias is None:
        return np.zeros((directions, rows)), np.zeros((directions, rows))
    bias = np.float64(bias)
    if bias.shape[1] == rows:
        return bias, np.zeros_like(bias)
    return bias[:, :rows], bias[:, rows:]


def lstm(
    x,
    w,
    r,
    b=None,
    lengths=None,
    initial_h=None,
    initial_c=None,
    p=None,
    weight_format="ldgoi",
    gate_order="iofc",
    weight_dims=None,
    hidden_size=0,
    direction="forward",
    outputs="hidden_cell_state",
):
    w, r = _matrices(w, weight_format), _matrices(r, weight_format)
    hidden = r.shape[2]
    bias = sum(_halves(b, 4 * hidden, w.shape[0]))
    peep = np.zeros((w.shape[0], 3, hidden)) if p is None else np.float64(p).reshape(-1, 3, hidden)
    names = gate_order.lower()

    def step(d, x, h, c):
        total = (w[d] @ x + r[d] @ h + bias[d]).reshape(4, hidden)
        gate = dict(zip(names, total))
        peep_i, peep_o, peep_f = peep[d]
        i, f = _sigmoid(gate["i"] + peep_i * c), _sigmoid(gate["f"] + peep_f * c)
        c = f * c + i * np.tanh(gate["c"])
        return _sigmoid(gate["o"] + peep_o * c) * np.tanh(c), c

    return _run(step, x, lengths, direction, hidden, outputs, initial_h, initial_c)


def gru(
    x,
    w,
    r,
    b=None,
    lengths=None,
    initial_h=None,
    weight_format="ldgoi",
    gate_order="uro",
    weight_dims=None,
    hidden_size=0,
    direction="forward",
    linear_before_reset=False,
    outputs="hidden_state",
):
    w, r = _matrices(w, weight_format), _matrices(r, weight_format)
    hidden = r.shape[2]
    of_input, of_state = _halves(b, 3 * hidden, w.shape[0])

    def step(d, x, h, c):
        zx, rx, hx = (w[d] @ x + of_input[d]).reshape(3, hidden)
        zr, rr, hr = r[d].reshape(3, hidden, hidden)
        zb, rb, hb = of_state[d].reshape(3, hidden)
        z, reset = _sigmoid(zx + zr @ h + zb), _sigmoid(rx + rr @ h + rb)
        if linear_before_reset:
            new = np.tanh(hx + reset * (hr @ h + hb))
        else:
            new = np.tanh(hx + hr @ (reset * h) + hb)
        return (1 - z) * new + z * h, c

    return _run(step, x, lengths, direction, hidden, outputs, initial_h, None)


def rnn(
    x,
    w,
    r,
    b=None,
    lengths=None,
    initial_h=None,
    weight_format="ldgoi",
    weight_dims=None,
    hidden_size=0,
    direction="forward",
    outputs="hidden_state",
):
    w, r = _matrices(w, weight_format), _matrices(r, weight_format)
    hidden = r.shape[2]
    bias = sum(_halves(b, hidden, w.shape[0]))

    def step(d, x, h, c):
        return np.tanh(w[d] @ x + r[d] @ h + bias[d]), c

    return _run(step, x, lengths, direction, hidden, outputs, initial_h, None)
