package probe

import "testing"

// search runs a search on a path that carries segments of up to carries.
func search(m *mssSearch, carries int) {
	for values := m.next(); len(values) > 0; values = m.next() {
		var passed, failed []int
		for _, mss := range values {
			if mss <= carries {
				passed = append(passed, mss)
			} else {
				failed = append(failed, mss)
			}
		}
		m.saw(passed, failed)
	}
}

func TestEveryMTUIsFoundExactly(t *testing.T) {
	for _, header := range []int{40, 60} {
		limit := 1500 - header
		for carries := safeMSS; carries < limit; carries++ {
			m := &mssSearch{works: safeMSS, fails: limit, limit: limit, header: header}
			search(m, carries)
			if !m.exact() || m.works != carries || m.mtu() != carries+header || m.trials > mtuTrials || m.rounds > 11 {
				t.Fatalf("headers of %d octets, MSS %d: got %+v", header, carries, m)
			}
		}
	}
}

func TestAUsualMTUTakesTwoRounds(t *testing.T) {
	for _, mtu := range usualMTUs[:len(usualMTUs)-1] {
		m := &mssSearch{works: safeMSS, fails: 1460, limit: 1460, header: 40}
		search(m, mtu-40)
		if !m.exact() || m.mtu() != mtu || m.rounds > 2 || m.trials > 10 {
			t.Errorf("MTU %d: got %+v", mtu, m)
		}
	}
}

func TestWhatAnotherSearchFoundTakesTwoConnections(t *testing.T) {
	m := &mssSearch{works: safeMSS, fails: 1460, limit: 1460, header: 40, guess: 1337}
	search(m, 1337)
	if !m.exact() || m.works != 1337 || m.trials != 2 || m.rounds != 1 {
		t.Errorf("got %+v", m)
	}
	for _, carries := range []int{safeMSS, 900, 1336, 1338, 1459} { // the path has changed, or it is another
		m := &mssSearch{works: safeMSS, fails: 1460, limit: 1460, header: 40, guess: 1337}
		if search(m, carries); !m.exact() || m.works != carries || m.trials > mtuTrials {
			t.Errorf("MSS %d: got %+v", carries, m)
		}
	}
}

func TestLargerFramesOfThisComputer(t *testing.T) {
	for _, limit := range []int{1461, 8960, 32767} {
		m := &mssSearch{works: safeMSS, fails: limit, limit: limit, header: 40}
		if search(m, 1460); !m.exact() || m.mtu() != 1500 || m.rounds > 2 {
			t.Errorf("limit %d: got %+v", limit, m)
		}
	}
	// Where nothing near is usual, sixteen connections may not do: what is said to work does, and nothing is said to be exact.
	m := &mssSearch{works: safeMSS, fails: 8960, limit: 8960, header: 40}
	if search(m, 4000); m.works > 4000 || m.fails <= 4000 || m.exact() || m.trials != mtuTrials || m.fails-m.works > 32 {
		t.Errorf("got %+v", m)
	}
}

func TestAnUnluckyTrialDoesNotDecide(t *testing.T) {
	m := &mssSearch{works: safeMSS, fails: 1460, limit: 1460, header: 40}
	m.next()
	m.saw([]int{1240, 1360, 1412}, []int{1380, 1440, 1452})
	if m.works != 1412 || m.fails != 1440 {
		t.Errorf("got %+v", m)
	}
	m.saw([]int{1450}, nil)
	if m.works != 1450 || m.fails != 1460 {
		t.Errorf("got %+v", m)
	}
}
