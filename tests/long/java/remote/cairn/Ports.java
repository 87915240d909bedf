package cairn;

import java.io.IOException;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.Set;

/** Ports for clusters, from the property cairn.ports: the first port of each block of 50, separated by commas. */
public final class Ports {
    private static final int BLOCK = 50;
    private static final int CLUSTERS = 5; // at the same time; a test that fails may leave one until its class has ended
    private static final String[] BASES = System.getProperty("cairn.ports").split(",");
    private static final Set<Integer> free = new LinkedHashSet<>();
    private static int nameNodes;

    static {
        reset();
    }

    private Ports() {
    }

    /** All are free again: their users were killed. */
    public static synchronized void reset() {
        for (int i = 0; i < CLUSTERS; i++) {
            free.add(Integer.valueOf(BASES[i]));
        }
    }

    /** The first port of a block for the DataNodes of a cluster. */
    public static synchronized int take() throws IOException {
        if (free.isEmpty()) {
            throw new IOException("more clusters at once than there are blocks of ports");
        }
        Iterator<Integer> next = free.iterator();
        int base = next.next();
        next.remove();
        return base;
    }

    public static synchronized void giveBack(int base) {
        free.add(base); // comes last, so a port has time to be free
    }

    /** Two ports for a NameNode. They come round late: Hadoop's client keeps a connection for a while (two seconds here), and does not
     *  notice that another daemon has the port by then. */
    public static synchronized int takeForNameNode() {
        int pairs = (BASES.length - CLUSTERS) * BLOCK / 2;
        int pair = nameNodes++ % pairs;
        return Integer.parseInt(BASES[CLUSTERS + pair / (BLOCK / 2)]) + 2 * (pair % (BLOCK / 2));
    }
}
